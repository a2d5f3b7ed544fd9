"""Posts and their tags, revisions, media, search and feeds; also the sample data."""
