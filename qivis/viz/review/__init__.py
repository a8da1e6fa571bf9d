"""A page to look at the tracks of a clip, find identity switches, and compose their repair."""

from qivis.viz.review.moments import Moment, suspicious_moments
from qivis.viz.review.page import write_review
from qivis.viz.review.proxy import proxy_size, shrink, write_proxy

__all__ = ["Moment", "proxy_size", "shrink", "suspicious_moments", "write_proxy", "write_review"]
