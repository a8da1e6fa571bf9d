"""The whole network: images of a batch are independent, masks belong to their queries."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qivis.config.schema import InputConfig, ModelConfig
from qivis.models.inputs import prepare
from qivis.models.optimize import optimize
from qivis.models.outputs import Chosen, Prediction
from qivis.models.queryinst import QueryInst
from qivis.structures import ImageBatch
from tests.tiny import FEATURIZED, NUM_CLASSES, TINY, noise, tiny_model

SIZES = [(64, 96), (40, 50)]


@pytest.fixture(params=[TINY, FEATURIZED], ids=["learned", "featurized"], scope="module")
def model(request: pytest.FixtureRequest) -> QueryInst:
    config: ModelConfig = request.param
    return tiny_model(config)


@pytest.fixture(scope="module")
def images() -> ImageBatch:
    return prepare([noise(size, seed) for seed, size in enumerate(SIZES)], InputConfig())


@pytest.fixture(scope="module")
def prediction(model: QueryInst, images: ImageBatch) -> Prediction:
    with torch.no_grad():
        return model(images)


def all_queries(num_images: int) -> Chosen:
    return Chosen.of([torch.arange(8)] * num_images)


@torch.no_grad()
def outputs_of(model: QueryInst, images: ImageBatch) -> list[Tensor]:
    """Everything that the last stage says; B entries each."""
    prediction = model(images)
    last = prediction.stages[-1]
    labels = (torch.arange(8) % NUM_CLASSES).repeat(len(images.sizes))
    masks = model.mask_logits(prediction, 1, all_queries(len(images.sizes)), labels)
    return [last.logits, last.boxes, last.queries, masks.unflatten(0, (-1, 8))]


def test_a_batch_says_what_its_images_say_alone(model: QueryInst, images: ImageBatch) -> None:
    together = outputs_of(model, images)
    for index, size in enumerate(images.sizes):
        # On the same canvas: group norms see the padding.
        row = slice(index, index + 1)
        alone = outputs_of(model, ImageBatch(images.tensor[row], (size,), images.grids[row]))
        for whole, single in zip(together, alone, strict=True):
            assert torch.allclose(whole[index], single[0], atol=1e-3)


def test_the_order_of_the_images_does_not_matter(model: QueryInst, images: ImageBatch) -> None:
    exchanged = ImageBatch(images.tensor.flip(0), images.sizes[::-1], images.grids.flip(0))
    for left, right in zip(outputs_of(model, images), outputs_of(model, exchanged), strict=True):
        assert torch.allclose(left, right.flip(0), atol=1e-3)


class Waits(TorchDispatchMode):
    """Notes the operations for which a host waits for its GPU: copies, and unknown shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, func: torch._ops.OpOverload, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        found = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, Tensor)]
        unknown = any(isinstance(side, torch.SymInt) for part in tensors for side in part.shape)
        if len({part.device for part in tensors}) > 1 or (unknown and "nms" in str(func)):
            self.seen.append(str(func))
        return found


def put_on_gpu(model: nn.Module) -> None:
    """Tensors without values, which `Module.to` cannot move, to a GPU that need not be there."""
    for module in model.modules():
        for name, part in module.named_parameters(recurse=False):
            value = torch.empty(part.shape, dtype=part.dtype, device="cuda")
            module.register_parameter(name, nn.Parameter(value, requires_grad=False))
        for name, part in module.named_buffers(recurse=False):
            value = torch.empty(part.shape, dtype=part.dtype, device="cuda")
            module.register_buffer(name, value)


@pytest.mark.filterwarnings("ignore:`create_unbacked_symint`:FutureWarning")  # torchvision's NMS
@pytest.mark.parametrize("fast", [False, True], ids=["plain", "optimized"])
@pytest.mark.parametrize(
    ("config", "waits"),
    [(TINY, []), (FEATURIZED, ["torchvision.nms.default"])],
    ids=["learned", "featurized"],
)
def test_a_host_does_not_wait_for_its_gpu_but_for_the_nms_of_proposals(
    config: ModelConfig, waits: list[str], fast: bool
) -> None:
    """On tensors without values, which a GPU need not be there for."""
    with torch.device("meta"):
        model = tiny_model(replace(config, association="dynamic_conv"))
    if fast:
        optimize(model, torch.bfloat16)
    with FakeTensorMode(shape_env=ShapeEnv()), torch.no_grad():
        put_on_gpu(model)
        tensor, grids = (torch.zeros(*shape, device="cuda") for shape in ((2, 3, 64, 96), (2, 2)))
        chosen = Chosen.of([torch.arange(8, device="cuda")] * 2)
        labels = torch.zeros_like(chosen.queries)
        with Waits() as waiting:
            prediction = model(ImageBatch(tensor, tuple(SIZES), grids))
            masks = model.mask_logits(prediction, 1, chosen, labels)
            model.embeddings(prediction, chosen)
    assert masks.device.type == "cuda"
    assert waiting.seen == waits


@pytest.mark.filterwarnings("ignore:`create_unbacked_symint`:FutureWarning")  # torchvision's NMS
def test_it_can_be_compiled_as_one_graph_that_waits_for_no_value(
    model: QueryInst, images: ImageBatch, prediction: Prediction
) -> None:
    graphs = []

    def keep(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    with torch.no_grad():
        found = torch.compile(model, backend=keep, fullgraph=True)(images)
    boxes = prediction.stages[-1].boxes
    torch.testing.assert_close(found.stages[-1].boxes, boxes, rtol=0, atol=0.01)
    (graph,) = graphs
    calls = {str(node.target) for node in graph.graph.nodes}
    assert not calls & {"item", "tolist", "nonzero", "cpu"}


def test_what_a_gpu_gets_can_be_compiled_as_one_graph() -> None:
    """Its fused layers, on tensors without values; proposals' NMS has no such form."""
    with torch.device("meta"):
        model = tiny_model()
        batch = ImageBatch(torch.zeros(2, 3, 64, 96), tuple(SIZES), torch.zeros(2, 2))
    optimize(model, torch.bfloat16)
    torch.compiler.reset()
    with torch.no_grad():
        found = torch.compile(model, backend="eager", fullgraph=True)(batch)
    assert [stage.boxes.shape for stage in found.stages] == [(2, 8, 4)] * TINY.num_stages


def test_there_is_an_output_for_every_stage(prediction: Prediction) -> None:
    assert len(prediction.stages) == TINY.num_stages
    assert not torch.equal(prediction.stages[0].boxes, prediction.stages[1].boxes)


def test_masks_belong_to_the_chosen_queries(model: QueryInst, prediction: Prediction) -> None:
    chosen = [torch.tensor([6, 1, 1]), torch.tensor([3])]
    with torch.no_grad():
        for stage in range(TINY.num_stages):
            labels = torch.arange(16) % NUM_CLASSES
            every = model.mask_logits(prediction, stage, all_queries(2), labels)
            rows = torch.cat([chosen[0], 8 + chosen[1]])
            some = model.mask_logits(prediction, stage, Chosen.of(chosen), labels[rows])
            expected = every[rows]
            assert some.shape == (4, 28, 28)
            assert torch.allclose(some, expected, atol=1e-4)


def test_an_image_without_chosen_queries_has_no_masks(
    model: QueryInst, prediction: Prediction
) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    only_second, nothing = Chosen.of([none, torch.tensor([2])]), Chosen.of([none, none])
    with torch.no_grad():
        label = torch.tensor([1])
        assert model.mask_logits(prediction, 1, only_second, label).shape == (1, 28, 28)
        assert model.mask_logits(prediction, 1, nothing, none).shape[0] == 0


def test_dropping_the_training_heads_changes_nothing_of_the_last_stage() -> None:
    model = tiny_model()
    images = prepare([noise((32, 32))], InputConfig())
    before = outputs_of(model, images)
    model.drop_training_heads()
    assert len(model.mask_heads) == 1
    for left, right in zip(before, outputs_of(model, images), strict=True):
        assert torch.equal(left, right)


def test_a_stage_does_not_teach_the_boxes_of_the_one_before() -> None:
    model = tiny_model()
    prediction = model(prepare([noise((32, 32))], InputConfig()))
    prediction.stages[1].boxes.sum().backward()
    assert model.stages[0].box_deltas.weight.grad is None
    assert model.stages[0].ffn[0].weight.grad is not None
    assert model.stages[1].box_deltas.weight.grad is not None


@pytest.mark.parametrize("form", ["mlp", "dynamic_conv", "masktrack"])
def test_embeddings_belong_to_their_queries(
    form: Literal["mlp", "dynamic_conv", "masktrack"], images: ImageBatch
) -> None:
    model = tiny_model(replace(TINY, association=form, embedding_width=12))
    with torch.no_grad():
        prediction = model(images)
        whole = model.embeddings(prediction, all_queries(2))
        none = torch.zeros(0, dtype=torch.int64)
        some = model.embeddings(prediction, Chosen.of([none, torch.tensor([5, 1])]))
    assert whole.shape == (16, 12)
    assert torch.allclose(some, whole[[8 + 5, 8 + 1]], atol=1e-5)
    assert not torch.allclose(whole[0], whole[1])
