// The table of cells, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cell_arrays.hpp"
#include "fastpgs/measures.hpp"

namespace fastpgs::bindings {

namespace {

using measures::Cell;

constexpr double PI = 3.141592653589793;

// Columns by name, one value a cell.
class Table {
  public:
    explicit Table(const std::vector<Cell>& cells) : cells_(cells) {}

    template <class Value, class Of>
    void add(const std::string& name, Of of) {
        py::array_t<Value> column(static_cast<py::ssize_t>(cells_.size()));
        Value* to = column.mutable_data();
        for (const Cell& cell : cells_) *to++ = of(cell);
        columns_[py::str(name)] = column;
    }
    py::dict columns() const { return columns_; }

  private:
    const std::vector<Cell>& cells_;
    py::dict columns_;
};

Table places(const std::vector<Cell>& cells) {
    Table table(cells);
    table.add<std::int32_t>("label", [number = 0](const Cell&) mutable { return ++number; });
    table.add<std::int64_t>("bbox-0", [](const Cell& cell) { return cell.top; });
    table.add<std::int64_t>("bbox-1", [](const Cell& cell) { return cell.left; });
    table.add<std::int64_t>("bbox-2", [](const Cell& cell) { return cell.bottom; });
    table.add<std::int64_t>("bbox-3", [](const Cell& cell) { return cell.right; });
    table.add<double>("centroid-0", [](const Cell& cell) { return cell.centroid_row(); });
    table.add<double>("centroid-1", [](const Cell& cell) { return cell.centroid_col(); });
    table.add<std::int64_t>("area", [](const Cell& cell) { return cell.area; });
    table.add<std::int64_t>("nucleus_area", [](const Cell& cell) { return cell.nucleus_area; });
    return table;
}

py::dict measure_cells(const LabelArray& labels, const LabelArray& nuclei, const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    same_shape(labels, picture.rows, picture.cols, "labels");
    same_shape(nuclei, picture.rows, picture.cols, "nuclei");
    std::vector<Cell> cells;
    {
        const std::int32_t *own = labels.data(), *inner = nuclei.data();
        const Released released;
        cells =
            measures::measure(measures::runs_of(own, inner, picture.cols, {0, 0, picture.rows, picture.cols}),
                              {inner, picture.rgb, picture.rows, picture.cols});
    }
    return table_of(cells, picture.rows, picture.cols);
}

}  // namespace

py::dict places_of(const std::vector<Cell>& cells) { return places(cells).columns(); }

py::dict table_of(const std::vector<Cell>& cells, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    const auto real = [](std::int64_t whole) { return static_cast<double>(whole); };
    Table table = places(cells);
    table.add<double>("axis_major_length", [](const Cell& cell) { return ellipse_of(cell).major; });
    table.add<double>("axis_minor_length", [](const Cell& cell) { return ellipse_of(cell).minor; });
    table.add<double>("eccentricity", [](const Cell& cell) { return ellipse_of(cell).eccentricity; });
    table.add<double>("perimeter", [](const Cell& cell) { return cell.perimeter; });
    table.add<double>("solidity", [](const Cell& cell) { return cell.solidity; });
    table.add<double>("equivalent_diameter_area",
                      [&](const Cell& cell) { return std::sqrt(4.0 * real(cell.area) / PI); });
    table.add<double>("circularity", [&](const Cell& cell) {
        return 4.0 * PI * real(cell.area) / (cell.perimeter * cell.perimeter);
    });
    table.add<double>("nucleus_ratio",
                      [&](const Cell& cell) { return real(cell.nucleus_area) / real(cell.area); });
    table.add<double>("nucleus_cytoplasm_ratio", [&](const Cell& cell) {
        return real(cell.nucleus_area) / real(cell.area - cell.nucleus_area);
    });
    table.add<std::int64_t>("nucleus_parts", [](const Cell& cell) { return cell.nucleus_parts; });
    table.add<double>("nucleus_solidity", [](const Cell& cell) { return cell.nucleus_solidity; });
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const std::string number = std::to_string(channel);
        table.add<double>("intensity_mean-" + number, [&](const Cell& cell) {
            return Cell::mean(real(cell.colour[channel]), cell.area);
        });
        table.add<double>("nucleus_mean-" + number, [&](const Cell& cell) {
            return Cell::mean(real(cell.nucleus_colour[channel]), cell.nucleus_area);
        });
    }
    table.add<double>("nucleus_std", [](const Cell& cell) {
        return std::sqrt(Cell::mean(cell.green_green, cell.nucleus_area));
    });
    table.add<double>("nucleus_roughness", [&](const Cell& cell) {
        return Cell::mean(real(cell.green_steps), cell.green_neighbours);
    });
    table.add<bool>("touches_border", [&](const Cell& cell) {
        return cell.top == 0 || cell.left == 0 || cell.bottom == rows || cell.right == cols;
    });
    return table.columns();
}

void bind_table(py::module_& module) {
    using namespace py::literals;
    module.def("measure_cells", &measure_cells, "labels"_a.noconvert(), "nuclei"_a.noconvert(),
               "rgb"_a.noconvert());
}

}  // namespace fastpgs::bindings
