"""Posts and what belongs to them: tags, authors' public pages, rendering, sample data."""
