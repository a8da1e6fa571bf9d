"""QueryInst on images and video: instance masks that keep their identity over a clip."""
