"""``fastpgs serve``: a page in the browser that outlines and judges the cells of dropped images."""
