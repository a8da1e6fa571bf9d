"""A page to look at the tracks of a clip, find identity switches, and compose their repair."""

from qivis.viz.review.page import write_review
from qivis.viz.review.proxy import write_proxy

__all__ = ["write_proxy", "write_review"]
