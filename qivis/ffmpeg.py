"""Options of FFmpeg, whoever calls it."""

# Opening a file decodes a picture, to find out how it is stored. Who wants packets alone, or
# decodes one anyway, need not wait for it.
UNDECODED = {"skip_frame": "all"}
