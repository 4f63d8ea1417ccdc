"""Training, cross-validation and comparison. Nothing here is needed to use a finished model."""
