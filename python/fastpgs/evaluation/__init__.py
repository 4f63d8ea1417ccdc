"""How good the cells are: measured against an expert's masks, beside simple baselines."""
