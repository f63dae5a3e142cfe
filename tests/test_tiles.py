"""Tiles: the loss and the gradient of a picture are the same whether it is looked at at once or in parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import STAGES, tiny_encoder_file
from tiny import picture as smooth
from torch import Tensor
from torch.nn import functional as F

from nst import encoders
from nst.device import choose_device, peak_memory
from nst.encoders import Encoder, EncoderPair
from nst.images import resize
from nst.losses import (
    CORRELATIONS,
    STATISTICS,
    STYLE_LOSSES,
    NormLoss,
    PerceptualLoss,
    StyleLoss,
    StyleOptions,
    TotalVariationLoss,
)
from nst.optimize import Step
from nst.params import KeptImage, PixelImage
from nst.settings.setting import Preset
from nst.stylize import estimate, footprint, painting, style_transfer
from nst.tiles import Cut, Tiling, encoded
from nst.transforms import Moved, Shifts

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CPU = choose_device("cpu", "float32")
SIZES = [(96, 160), (101, 175), (97, 203)]
"""Of pictures, of which most divide by nothing."""

SIDE = 192
"""Of a tile with what is around it: the tiny encoder sees 64 pixels from an edge, which leaves 64."""

DIVISIBLE = [kind for kind in STYLE_LOSSES if STATISTICS[kind].divisible]


def tiny_encoder(seed: int = 0, **arguments: Any) -> Encoder:
    """One whose deepest features still differ from place to place."""
    torch.manual_seed(seed)
    encoder = Encoder(arguments.pop("stages", STAGES), **arguments).eval().requires_grad_(False)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return encoder


def picture(seed: int, height: int = 24, width: int = 32) -> Tensor:
    """A rough one."""
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(100 + seed))
    return torch.lerp(smooth(seed, height, width), noise, 0.5)


def at_once(image: PixelImage, encoding: Any, criterion: PerceptualLoss) -> tuple[dict[str, float], Tensor]:
    terms = criterion(encoding(image(), criterion.layers))
    (gradient,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), [image.pixels])
    return {name: term.item() for name, term in terms.items()}, gradient


def by_tiles(
    image: PixelImage, encoding: Any, criterion: PerceptualLoss, views: Shifts | None = None
) -> tuple[dict[str, float], Tensor]:
    cut = Cut(*image.pixels.shape[-2:], encoding, criterion.layers or LAYERS, SIDE, views)
    assert len(cut.windows) > 1
    gradient = torch.full_like(image.pixels, 7.0)
    terms = Tiling(image, encoding, criterion, CPU, cut).evaluate(gradient)
    return {name: term.item() for name, term in terms.items()}, gradient


def check(image: PixelImage, encoding: Any, criterion: PerceptualLoss, views: Shifts | None = None) -> None:
    terms, gradient = at_once(image, Moved(encoding, views) if views else encoding, criterion)
    tiled, other = by_tiles(image, encoding, criterion, views)
    assert list(tiled) == list(terms)
    assert tiled == pytest.approx(terms, rel=1e-4)
    apart = (gradient - other).abs()
    # Where a feature is 0 but for rounding, ReLU lets a gradient pass in one and not in the other.
    assert apart.flatten().quantile(0.95) < 1e-3 * gradient.square().mean().sqrt()
    assert apart.norm() < 1e-2 * gradient.norm()


def style_features(encoder: Encoder) -> list[dict[str, Tensor]]:
    return [encoder(picture(seed, 60, 80), encoder.layers) for seed in (2, 3)]


@pytest.mark.parametrize(("mixing", "size"), [*(("statistics", size) for size in SIZES), ("losses", SIZES[1])], ids=str)
@pytest.mark.parametrize("kind", DIVISIBLE)
def test_statistics_of_two_styles_are_sums_over_tiles(kind, mixing, size):
    encoder = tiny_encoder()
    layers = STATISTICS[kind].default_layers(encoder.layers) or LAYERS
    loss = StyleLoss(style_features(encoder), layers, kind=kind, mixing=mixing, style_weights=[1, 3])
    check(PixelImage(picture(1, *size)), encoder, PerceptualLoss([loss]))


@pytest.mark.parametrize("kind", DIVISIBLE)
def test_but_for_relu_the_gradient_is_that_of_the_whole(kind, monkeypatch):
    """A smooth function in its place has no zero at which rounding decides whether a gradient passes."""

    def smooth_layer(x: Tensor, weight: Tensor, bias: Tensor, mode: str) -> Tensor:
        return F.silu(F.conv2d(F.pad(x, (1,) * 4, mode="constant" if mode == "zeros" else mode), weight, bias))

    monkeypatch.setattr(encoders, "conv_relu", smooth_layer)
    encoder, image = tiny_encoder(), PixelImage(picture(1, 97, 203))
    layers = STATISTICS[kind].default_layers(encoder.layers) or LAYERS
    criterion = PerceptualLoss([StyleLoss(style_features(encoder), layers, kind=kind, style_weights=[1, 3])])
    (_, gradient), (_, tiled) = at_once(image, encoder, criterion), by_tiles(image, encoder, criterion)
    assert (gradient - tiled).norm() < 1e-4 * gradient.norm()
    assert (gradient - tiled).abs().max() < 1e-3 * gradient.square().mean().sqrt()


@pytest.mark.parametrize("kind", DIVISIBLE)
def test_places_count_by_masks(kind):
    """One of the tiles has nothing that counts."""
    encoder, image = tiny_encoder(), picture(1, 101, 175)
    layers = STATISTICS[kind].default_layers(encoder.layers) or LAYERS
    guides = {}
    for name, x in encoder(image, encoder.layers).items():
        guides[name] = torch.rand(1, 1, *x.shape[-2:], generator=torch.Generator().manual_seed(5))
        guides[name][..., : x.shape[-1] // 2] = 0
    loss = StyleLoss(style_features(encoder), layers, kind=kind, guides=guides)
    check(PixelImage(image), encoder, PerceptualLoss([loss]))


@pytest.mark.parametrize("correlations", CORRELATIONS)
def test_correlations_across_layers(correlations):
    encoder, options = tiny_encoder(), StyleOptions(correlations=correlations)
    loss = StyleLoss(style_features(encoder), encoder.layers, kind="correlation", options=options)
    check(PixelImage(picture(1, 101, 175)), encoder, PerceptualLoss([loss]))


@pytest.mark.parametrize("degree", [1, 2])
def test_polynomials_of_low_degree(degree):
    encoder, options = tiny_encoder(), StyleOptions(kernel_degree=degree)
    loss = StyleLoss(style_features(encoder), LAYERS, kind="mmd-polynomial", options=options)
    check(PixelImage(picture(1, 101, 175)), encoder, PerceptualLoss([loss]))


@pytest.mark.parametrize("exponent", [2.0, 1.5])
@pytest.mark.parametrize("rough", [0.0, 0.3])
def test_regularizers(exponent, rough):
    """Of a smooth picture total variation is free, and has no gradient: that is known of the whole alone."""
    image = PixelImage(torch.lerp(smooth(1, 101, 175), picture(1, 101, 175), rough))
    losses = [TotalVariationLoss(smooth(2, 40, 50), weight=0.5, exponent=exponent), NormLoss(0.1)]
    check(image, tiny_encoder(), PerceptualLoss(losses))


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("padding", ["reflect", "zeros", "replicate"])
def test_encoders_see_at_the_picture_s_edges_what_they_always_see(pooling, padding):
    encoder = tiny_encoder(stages=[[4, 4], [6], [8, 8], [8]], padding=padding, pooling=pooling)
    image, layers = picture(1, 101, 175), ("relu1_2", "relu3_1", "relu4_1")
    whole, parts = encoder(image, layers), encoded(encoder, image, layers, CPU, 128)
    assert all(torch.allclose(parts[name], whole[name], atol=1e-5) for name in layers)
    loss = StyleLoss(encoder(picture(2), layers), layers, kind="gram")
    check(PixelImage(image), encoder, PerceptualLoss([loss]))


def test_moving_views_and_what_is_kept():
    """A view is of the whole picture: what is moved out at an edge comes back reflected."""
    encoder, image = tiny_encoder(), picture(1, 101, 175)
    mask = torch.rand(1, 1, 101, 175, generator=torch.Generator().manual_seed(3))
    views = Shifts(101, 175, torch.device("cpu"))
    seen = [encoder(view, LAYERS) for view in views.each(image)]
    guides = {name: torch.cat([one[name].mean(1, keepdim=True) for one in seen]) for name in LAYERS}
    loss = PerceptualLoss(
        [StyleLoss(style_features(encoder), LAYERS, kind="wasserstein", guides=guides), NormLoss(0.1)]
    )
    for _ in range(3):
        views.turn()
        check(KeptImage(image, picture(6, 101, 175), mask), encoder, loss, views)


def test_two_encoders():
    pair = EncoderPair(tiny_encoder(), tiny_encoder(1))
    layers = ("relu1_1", "relu4_1", "content:relu3_1")
    loss = StyleLoss(pair(picture(2), layers), layers, kind="gram")
    check(PixelImage(picture(1, 101, 175)), pair, PerceptualLoss([loss]))


# ---- whole runs


@pytest.fixture
def scarce(monkeypatch):
    """As little memory as makes every picture be cut into the smallest tiles, which are counted."""
    monkeypatch.setattr(footprint, "free_memory", lambda device: 0)
    monkeypatch.setattr(footprint, "SMALLEST", SIDE)
    cuts: list[Cut] = []
    init = Cut.__init__

    def noted(self: Cut, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        cuts.append(self)

    monkeypatch.setattr(Cut, "__init__", noted)
    return cuts


def run(tmp_path: Any, **settings: Any) -> list[Step]:
    """A few steps at two scales, with all that a content loss can be told."""
    given = {"style_loss": "wasserstein+histogram", "style_weights": [1, 2], "care": mask(8), "masks": [mask(9), None]}
    short = Preset(num_steps=7, factor=2.0, smallest=96, average=0.5, tv_weight=0.1, reach=8)
    steps = []
    for step in style_transfer(
        picture(1, 150, 260),
        [picture(2, 120, 300), picture(3, 90, 90)],
        encoder=tiny_encoder_file(tmp_path),
        device=CPU,
        **{"size": 230, "preset": short, **given, **settings},
    ):
        assert step.image.shape[-1] == step.size
        steps.append(step)
    return steps


def mask(seed: int) -> Tensor:
    return picture(seed, 150, 260)[:, :1]


def test_a_run_is_cut_into_tiles_by_itself_where_memory_is_scarce(tmp_path, monkeypatch, request):
    whole = run(tmp_path)
    cuts = request.getfixturevalue("scarce")
    tiled = run(tmp_path)
    assert len(cuts) > 2 and max(len(cut.windows) for cut in cuts) > 4
    first_scale = sum(step.size < 230 for step in whole)
    for one, other in list(zip(whole, tiled, strict=True))[:first_scale]:
        assert other.losses == pytest.approx(one.losses, rel=2e-3)
    for one, other in list(zip(whole, tiled, strict=True))[: first_scale - 1]:
        assert (one.image - other.image).abs().mean() < 1 / 255
    # The next scale starts from the averaged iterate, or the last one, where the best would be another.
    assert sum(tiled[-1].losses.values()) < 1.1 * sum(whole[-1].losses.values())


def test_no_seam_is_where_tiles_meet(tmp_path, request):
    """Along each row and column pixels differ as much as in a picture that was painted at once."""
    preset = Preset(num_steps=7, factor=2.0, smallest=230, average=0.5, tv_weight=0.1, reach=8)
    settings = {"preset": preset, "init": "noise", "strength": 100.0, "masks": None}
    whole = run(tmp_path, **settings)[-1].image
    cuts = request.getfixturevalue("scarce")
    tiled = run(tmp_path, **settings)[-1].image
    assert len(cuts[-1].windows) >= 4
    for axis in (-2, -1):
        one, other = (x.diff(dim=axis).abs().mean((0, 1, -3 - axis)) for x in (tiled, whole))
        assert (one / other - 1).abs().max() < 0.02


@pytest.mark.usefixtures("scarce")
def test_what_is_kept_stays_in_tiles(tmp_path):
    keep = torch.zeros(1, 1, 150, 260)
    keep[..., :100] = 1
    last = run(tmp_path, keep=keep, masks=None, num_steps=3)[-1].image
    kept = resize(picture(1, 150, 260), 230)
    assert (last - kept)[..., :80].abs().max() < 1e-3 < (last - kept)[..., 100:].abs().max()


@pytest.mark.usefixtures("scarce")
def test_a_tiled_run_goes_back_where_it_runs_away(tmp_path):
    steps = run(tmp_path, learning_rate=10.0)
    assert all(torch.isfinite(step.image).all() for step in steps)


def test_what_has_no_tiles_says_so(tmp_path, monkeypatch):
    for module in (footprint, painting):
        monkeypatch.setattr(module, "free_memory", lambda device: 0)
    with pytest.raises(ValueError, match=r'loss "patches", which cannot be computed tile by tile'):
        run(tmp_path, style_loss="patches")


def test_the_estimate_tells_what_tiles_take(tmp_path, monkeypatch):
    encoder = tiny_encoder_file(tmp_path)
    whole = estimate((300, 400), encoder=encoder, size=4096, device=CPU)
    monkeypatch.setattr(footprint, "free_memory", lambda device: whole.memory // 2)
    tiled = estimate((300, 400), encoder=encoder, size=4096, device=CPU)
    assert tiled.memory < whole.memory / 2 and tiled.seconds > whole.seconds
    patches = estimate((300, 400), encoder=encoder, size=4096, device=CPU, style_loss="patches")
    assert patches.memory > whole.memory


@pytest.mark.slow
def test_a_large_picture_takes_hardly_more_than_what_is_kept_of_it(tmp_path, monkeypatch):
    """As many bytes a pixel as the estimate says, and a tile; with all features at once it would be thrice as many."""
    monkeypatch.setattr(footprint, "free_memory", lambda device: 0)
    photo = picture(1, 600, 800)
    preset = Preset(num_steps=1, factor=2.0, smallest=96, average=0.5, tv_weight=0.1, reach=8)
    settings = {
        "encoder": tiny_encoder_file(tmp_path),
        "size": 1280,
        "preset": preset,
        "init": photo,
        "keep_faces": 0.0,
    }
    list(style_transfer(photo, picture(2, 300, 300), device=CPU, **settings | {"size": 320}))  # what any run brings in
    with peak_memory(CPU.torch_device) as peak:
        (step,) = style_transfer(photo, picture(2, 300, 300), device=CPU, **settings)
        assert step.image.shape[-2:] == (960, 1280)
    assert peak() < footprint.thrifty_state(CPU) * 960 * 1280 + 850 * footprint.SMALLEST**2
