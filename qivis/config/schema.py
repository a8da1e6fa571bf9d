"""Every setting, its unit and its default. The only place where a default is written.

The defaults are the published R-50, 100 queries, 1x recipe (mmdetection configs/queryinst).
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from qivis.config.limits import (
    NOT_EMPTY,
    RISING,
    Amount,
    Channels,
    Count,
    Decay,
    DivisorOf,
    Natural,
    Positive,
    Share,
    Side,
    SideOrNone,
)


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    backbone: which one, with strides 4, 8, 16, 32; stem and first stage frozen, but all of a Swin
        Transformer learns.
    queries: `learned` as published, or `featurized`: proposed by a dense head for each image.
    num_queries: Q, objects that can be found in an image.
    num_stages: refinement stages.
    width: D, channels of the pyramid and of the queries.
    num_heads: of the self-attention among queries.
    ffn_width: hidden channels of the feed-forward block.
    dynamic_width: inner channels of the dynamic convolution.
    box_grid, mask_grid: side of the RoI grid of the box branch and of the mask branch.
    sampling_ratio: RoIAlign samples along each side of a bin.
    mask_norm: normalisation in the mask head; `batch` as published, `group` for small batches.
    association: what makes the embedding by which an object is recognised in other frames: `none`
        (its query, as it is), `mlp` (three layers on the query: IDOL, CTVIS), `dynamic_conv` (the
        query filters the features of its box: QueryTrack) or `masktrack` (two layers on the
        features of its box: MaskTrack R-CNN).
    embedding_width: E, of a learned embedding.
    """

    backbone: Literal[
        "resnet50",
        "resnet101",
        "resnext101_64x4d_dcn",
        "swin_t",
        "swin_l",
        "efficientnet_lite0",
    ] = "resnet50"
    queries: Literal["learned", "featurized"] = "learned"
    num_queries: Count = 100
    num_stages: Count = 6
    width: Channels = 256
    num_heads: Annotated[Count, DivisorOf("width")] = 8
    ffn_width: Count = 2048
    dynamic_width: Count = 64
    box_grid: Count = 7
    mask_grid: Count = 14
    sampling_ratio: Count = 2
    mask_norm: Literal["batch", "group"] = "batch"
    association: Literal["none", "mlp", "dynamic_conv", "masktrack"] = "none"
    embedding_width: Count = 256


@dataclass(frozen=True)
class InputConfig:
    """How a picture becomes the network's input at test time.

    short_side, long_side: pixels; the picture is scaled to the largest size that exceeds neither.
    pixel_mean, pixel_std: RGB, on the 0..255 scale.
    """

    short_side: Side = 800
    long_side: Side = 1333
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    pixel_std: tuple[Positive, Positive, Positive] = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class SourceConfig:
    """A data set, or a part of one.

    images, annotations: its folder of pictures and its annotation file, below the data root.
    kind: `images` in COCO format, `videos` in YouTube-VIS, OVIS or CocoVID format, or `cityscapes`,
        whose annotations are a folder (gtFine/train).
    repeat: how often each of its clips is seen in an epoch; of 0.25 a quarter of them, another one
        in each epoch. The sets of a training have their proportions from it. A picture is one
        clip, and so is every frame of a video that shows an object, with frames around it.
    coco_classes: for COCO pictures among videos of these classes; objects of classes that these
        do not know are left out.
    """

    images: str
    annotations: str
    kind: Literal["images", "videos", "cityscapes"] = "images"
    repeat: Amount = 1.0
    coco_classes: Literal["as they are", "youtube_vis_2019", "youtube_vis_2021", "ovis"] = (
        "as they are"
    )


@dataclass(frozen=True)
class DataConfig:
    """What is trained and measured on.

    root: the data root, where --data-root does not say otherwise.
    train: sets that are trained on together.
    val: the set that is measured on.
    class_names: classes to learn, each a category or a supercategory of the annotations; empty
        for all categories as they are.
    ignore_regions: whether crowds and `unlabelled` boxes shield what is found in them from being
        counted wrong in training; without it both are left out, as published.
    keep_empty: whether images without objects are trained on too; as published, they are not.
    min_side: images with a side below this many pixels are not trained on.
    strict: whether an annotation, image or video that cannot be used stops what wants to read it;
        without it such entries are left out, and a warning counts them (--strict sets it).
    """

    root: str = "datasets/coco"
    train: Annotated[tuple[SourceConfig, ...], NOT_EMPTY] = (
        SourceConfig("train2017", "annotations/instances_train2017.json"),
    )
    val: SourceConfig = SourceConfig("val2017", "annotations/instances_val2017.json")
    class_names: tuple[str, ...] = ()
    ignore_regions: bool = False
    keep_empty: bool = False
    min_side: Natural = 32
    strict: bool = False


@dataclass(frozen=True)
class ClipConfig:
    """Which frames of a video make up a training clip; of a picture, how many views.

    length: T, frames.
    reach: the farthest that a frame is from the clip's key frame, in frames (IDOL: 10; MaskTrack
        R-CNN: any distance).
    reverse_probability: of a clip running backwards.
    """

    length: Count = 2
    reach: Natural = 10
    reverse_probability: Share = 0.5


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training clips.

    flip_probability: of mirroring left and right.
    short_sides, long_side: pixels; each clip is resized to one of the short sides, the long side
        capped.
    crop_probability: of first resizing to a short side of `crop_short_sides` and cropping to
        `crop_range` pixels a side, as DETR does.
    canvas_side: pixels; if not 0, all of the above but the mirroring is replaced by scale jitter:
        the picture, fitted into a square of this side, is scaled by a factor from `jitter_range`
        and cropped to the square.
    color_strength: 0 (off) to 1; brightness, contrast, saturation and hue.
    paste_probability: of pasting up to `paste_objects` objects of another picture.
    """

    flip_probability: Share = 0.5
    short_sides: Annotated[tuple[Side, ...], NOT_EMPTY] = (800,)
    long_side: Side = 1333
    crop_probability: Share = 0.0
    crop_short_sides: Annotated[tuple[Side, ...], NOT_EMPTY] = (400, 500, 600)
    crop_range: Annotated[tuple[Side, Side], RISING] = (384, 600)
    canvas_side: SideOrNone = 0
    jitter_range: Annotated[tuple[Positive, Positive], RISING] = (0.5, 2.0)
    color_strength: Share = 0.0
    paste_probability: Share = 0.0
    paste_objects: Count = 3


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, and of the matching costs of the same name.

    focal, l1, giou: on class, box corners (as a share of the image) and box overlap.
    dice: on masks.
    contrastive, cosine: on embeddings of objects in different frames (IDOL: 2 and 3).
    track_match: on the same, as MaskTrack R-CNN learns them (there 1, and no other).
    proposal_class, proposal_giou: on the dense head of featurized queries.

    Featurized queries see only what is near them, and there are few to learn from:

    least_overlap: a query that is matched with an object but overlaps it by less (IoU) learns
        nothing of it; 0, as published, lets every matched query learn.
    neighbour_overlap: an unmatched query that overlaps an object by more (IoU) learns its box and
        mask, though not its class; 1, as published, lets none.
    """

    focal: Amount = 2.0
    l1: Amount = 5.0
    giou: Amount = 2.0
    dice: Amount = 8.0
    contrastive: Amount = 2.0
    cosine: Amount = 3.0
    track_match: Amount = 0.0
    proposal_class: Amount = 1.0
    proposal_giou: Amount = 2.0
    least_overlap: Share = 0.0
    neighbour_overlap: Share = 1.0


@dataclass(frozen=True)
class OptimConfig:
    """How the weights are learned: AdamW.

    lr, weight_decay: of all weights; the backbone's lr is multiplied by `backbone_lr_factor`.
    decay_norms: whether weight decay takes in norm layers and Swin's position biases.
    clip_norm: largest L2 norm of the gradient.
    batch_size: clips in a step, over all processes and accumulation steps.
    accumulate: forward and backward passes that make up a step.
    epochs: passes over the training sets.
    schedule: `step` multiplies the lr by 0.1 at each of the `milestones` (in epochs); `cosine`
        lowers it to 1 % over the whole run.
    warmup_steps, warmup_factor: the lr rises linearly from factor * lr.
    ema_decay: of the running mean of the weights that is evaluated and shipped; 0 turns it off.
    learn: `everything`, or only the `association` head: then detections stay exactly as they were.
    precision: of the matrix work under autocast; weights stay float32.
    seed: of every random draw.
    workers: processes that load data.
    checkpoint_steps: steps between checkpoints.
    evaluate_epochs: epochs between evaluations; the last epoch is always evaluated.
    """

    lr: Amount = 1e-4
    weight_decay: Amount = 1e-4
    backbone_lr_factor: Amount = 0.1
    decay_norms: bool = True
    clip_norm: Positive = 0.1
    batch_size: Count = 16
    accumulate: Count = 1
    epochs: Count = 12
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[Count, ...] = (8, 11)
    warmup_steps: Natural = 1000
    warmup_factor: Share = 0.001
    ema_decay: Decay = 0.0
    learn: Literal["everything", "association"] = "everything"
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: Natural = 0
    workers: Natural = 2
    checkpoint_steps: Count = 1000
    evaluate_epochs: Count = 1


@dataclass(frozen=True)
class TrackingConfig:
    """How detections become tracks.

    Beside each number stands what others have; "ours" has nobody to be compared with.

    association: what tells whose detection it is. `embedding`: looks that were learned from videos,
        and place (weights with an association head only). `query`: the same with the queries of
        the last stage for looks, which needs no video training (MinVIS). `overlap`: nothing but the
        IoU with the mask that a track had when last seen, the baseline.
    assignment: `greedy`: the better scored detection chooses first (IDOL, CTVIS; the authors of
        CTVIS note a loss of 3 AP without it). `hungarian`: what is best for all together (MinVIS).
    keep_score: detections below it are not looked at; from here on they may continue a track
        (IDOL gates at 0.1, CTVIS at 0.01).
    birth_score: detections from here on may also start a track (IDOL: 0.2, on OVIS 0.3).
    duplicate_iou: of two masks of a frame that overlap by more, the better scored one stays (IDOL:
        0.5, CTVIS: 0.6).
    appearance_weight: share of the cosine of the embeddings in the similarity of a detection and a
        track; the rest is the overlap of the box with the place where the track is expected
        (MaskTrack R-CNN and CrossVIS add the overlap, too; the half is ours).
    place_frames: after each so many frames unseen, the expected place says half as much (ours).
    recent_frames: a track unseen for more frames than this is found again only by a detection that
        could start one (ours; ByteTrack gives weak detections only tracks of the last frame).
    temperature: of the softmax that sets rival pairs against each other (ours; IDOL and CTVIS have
        it over dot products that are not scaled to a length of 1, so that they need none).
    match_similarity: a detection and a track less similar than this are not the same object (bare
        bi-softmax in IDOL: 0.5, CTVIS: 0.3; IoU, as in `overlap`, in SORT: 0.3).
    memory_frames: an object unseen for more frames than this comes back as a new one (IDOL: 10,
        CTVIS: 20, both at every fifth frame of a video; ByteTrack: 30, at every frame).
    min_frames: tracks seen in fewer frames are dropped at the end (IDOL and CTVIS: 3).
    """

    association: Literal["embedding", "query", "overlap"] = "query"
    assignment: Literal["greedy", "hungarian"] = "greedy"
    keep_score: Share = 0.1
    birth_score: Share = 0.3
    duplicate_iou: Share = 0.6
    appearance_weight: Share = 0.5
    place_frames: Positive = 10.0
    recent_frames: Natural = 5
    temperature: Positive = 0.05
    match_similarity: Share = 0.35
    memory_frames: Natural = 30
    min_frames: Natural = 3


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment: all that a training or an evaluation needs to know."""

    model: ModelConfig = field(default_factory=ModelConfig)
    input: InputConfig = field(default_factory=InputConfig)
    data: DataConfig = field(default_factory=DataConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
