"""Files of documents: JSON lines, CSV and Parquet, read as a stream by ``open_source``."""
