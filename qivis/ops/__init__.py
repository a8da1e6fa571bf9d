"""Pure functions of tensors. Nothing here imports another part of qivis."""
