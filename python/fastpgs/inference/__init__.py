"""Judging images with a trained model."""
