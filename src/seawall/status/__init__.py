"""The public status site: static pages from one document, published by its own process."""
