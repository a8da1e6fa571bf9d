"""Identities: detections of single frames become tracks of a video."""

from qivis.tracking.tracker import Tracker, build_tracker
from qivis.tracking.tracklets import Identified, TrackletCollector, views_of

__all__ = ["Identified", "Tracker", "TrackletCollector", "build_tracker", "views_of"]
