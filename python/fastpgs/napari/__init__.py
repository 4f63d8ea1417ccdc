"""fastpgs in napari (https://napari.org): widgets, a sample, and a reader of result folders; extra ``napari``."""
