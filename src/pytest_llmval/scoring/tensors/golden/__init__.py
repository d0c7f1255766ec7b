"""Goldens: tensors kept in safetensors files, and compared with what a tier of storage can honestly show."""
