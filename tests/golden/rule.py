"""The rule that gives every weight, image and object of the golden model numbers.

The golden file holds only results: weights and inputs follow from this rule, so
that a 172 M parameter model can be checked against a 250 KB file. Key names are
those of the published mmdetection QueryInst checkpoints.
"""

import math
import zlib

import numpy as np

MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # RGB
STD = np.array([58.395, 57.12, 57.375], np.float32)


def weight(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The tensor of state-dict entry `key`."""
    rng = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)

    def normal() -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_mean"):
        return (0.1 * normal()).astype(np.float32)
    if key.endswith("running_var"):
        return (1 + 0.2 * np.abs(normal())).astype(np.float32)
    if key.endswith("init_proposal_bboxes.weight"):
        u = rng.uniform(size=shape).astype(np.float32)  # cx, cy, width, height in [0, 1]
        return np.concatenate([0.25 + 0.5 * u[:, :2], 0.1 + 0.5 * u[:, 2:]], 1)
    if len(shape) == 1:
        scaled = 1 + 0.1 * normal() if key.endswith("weight") else 0.02 * normal()
        return scaled.astype(np.float32)
    gain = 0.05 if "fc_reg." in key else 3.0 if "fc_cls" in key or "conv_logits" in key else 1.3
    return (gain / math.sqrt(np.prod(shape[1:])) * normal()).astype(np.float32)


def scene(height: int, width: int, seed: int, num_objects: int):
    """An RGB uint8 image (H, W, 3), boxes (N, 4) xyxy, labels (N,), masks (N, H, W) uint8."""
    rng = np.random.RandomState(seed)
    low = rng.uniform(0, 255, (height // 16 + 1, width // 16 + 1, 3))
    image = np.repeat(np.repeat(low, 16, 0), 16, 1)[:height, :width]
    image = np.clip(image + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    yy, xx = np.mgrid[:height, :width]
    boxes, masks, labels = [], [], []
    for _ in range(num_objects):
        cx, cy = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
        rx, ry = rng.uniform(0.05, 0.2) * width, rng.uniform(0.08, 0.2) * height
        mask = ((xx + 0.5 - cx) / rx) ** 2 + ((yy + 0.5 - cy) / ry) ** 2 <= 1
        ys, xs = np.where(mask)
        boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        masks.append(mask)
        labels.append(rng.randint(0, 80))
    return image, np.array(boxes, np.float32), np.array(labels, np.int64), np.array(masks, np.uint8)
