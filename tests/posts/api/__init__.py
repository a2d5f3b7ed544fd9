"""The tests of the operations on posts, media, tags and authors: flat, with one file per subject of the API."""
