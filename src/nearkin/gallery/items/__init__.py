"""Items of a gallery: rows, columns, the Lance dataset."""
