"""Identities: detections of single frames become tracks of a video."""

from qivis.tracking.tracker import Tracker, build_tracker
from qivis.tracking.tracklets import TrackletCollector

__all__ = ["Tracker", "TrackletCollector", "build_tracker"]
