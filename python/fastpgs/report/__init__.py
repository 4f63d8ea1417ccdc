"""Pictures and pages for people: overlays, thumbnails, the HTML report of a run."""
