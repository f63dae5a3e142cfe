"""Known answers of every way to compare a style: kernels, histograms, correlations, patches; guides and mixtures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny import picture, tiny_encoder

from nst.device import choose_device
from nst.layers import average_pool
from nst.losses import (
    CORRELATIONS,
    MIXING,
    STATISTICS,
    STYLE_LOSSES,
    NormLoss,
    PerceptualLoss,
    Sample,
    SampledDiscrepancy,
    StyleLoss,
    StyleOptions,
    alpha_norm,
    cross_gram,
    gaussian_kernel,
    gram_loss,
    gram_matrix,
    halving_weights,
    histogram_loss,
    layer_pairs,
    mean_variance,
    mean_variance_loss,
    median_distance,
    moments,
    nearest_patches,
    polynomial_kernel,
    quantiles,
    squared_mmd,
    total_variation,
    unfold_patches,
    wasserstein_loss,
)
from nst.losses.patches import REMATCH
from nst.losses.wasserstein import matrix_root
from nst.optimize import optimize
from nst.params import PixelImage

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
PLAIN = StyleOptions()


def features(seed: int, channels: int = 5, height: int = 9, width: int = 11) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=generator) ** (1 + seed % 3)


def points(x: torch.Tensor) -> torch.Tensor:
    return x[0].flatten(1).T


def distance(kind: str, now: torch.Tensor, *targets: torch.Tensor, options: StyleOptions = PLAIN, **where) -> float:
    samples = [Sample(target) for target in targets]
    return look(STATISTICS[kind].of(samples, [1 / len(samples)] * len(samples), options), Sample(now, **where))


def look(statistic, sample: Sample) -> float:
    """Its distance; the mean of many where that is an estimate."""
    looks = 60 if isinstance(statistic, SampledDiscrepancy) else 1
    return sum(statistic(sample).item() for _ in range(looks)) / looks


# ---- kernels


def test_the_gram_loss_is_the_discrepancy_by_the_squared_scalar_product():
    x, y = features(1), features(2)
    discrepancy = squared_mmd(points(x), points(y), polynomial_kernel)
    difference = (gram_matrix(x) - gram_matrix(y)).square().sum()  # arXiv:1701.01036, eq. 10, whose constant is 1 here
    assert discrepancy.item() == pytest.approx(difference.item(), rel=1e-3)
    assert gram_loss(gram_matrix(x), gram_matrix(y)).item() == pytest.approx(
        (discrepancy / squared_mmd(torch.zeros(4, 5), points(y), polynomial_kernel)).item(), rel=1e-3
    )


@pytest.mark.parametrize(("degree", "offset"), [(1, 0.0), (1, 2.0), (2, 0.0), (2, 1.0), (2, 3.0)])
def test_low_degrees_are_computed_exactly_from_moments(degree, offset):
    x, y = features(1), features(2)
    scale = points(y).square().sum(1).mean().sqrt()

    def kernel(a, b):
        return polynomial_kernel(a / scale, b / scale, degree, offset)

    expected = squared_mmd(points(x), points(y), kernel) / squared_mmd(torch.zeros(4, 5), points(y), kernel)
    options = StyleOptions(kernel_degree=degree, kernel_offset=offset)
    assert distance("mmd-polynomial", x, y, options=options) == pytest.approx(expected.item(), rel=2e-3)


def test_the_linear_kernel_compares_means():
    x, y = features(1), features(2)
    means = [f.mean((2, 3)) for f in (x, y)]
    expected = (means[0] - means[1]).square().sum() / means[1].square().sum()
    assert distance("mmd-linear", x, y) == pytest.approx(expected.item(), rel=1e-4)


def test_a_gaussian_kernel_by_hand():
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert gaussian_kernel(x, y, 5.0).tolist() == [pytest.approx([2.718281828**-0.5, 1])]
    assert median_distance(torch.tensor([[0.0], [1.0], [3.0]])).item() == 2


@pytest.mark.parametrize(
    ("kind", "options"),
    [("mmd-gaussian", PLAIN), ("mmd-polynomial", StyleOptions(kernel_degree=3, kernel_offset=0.5))],
)
def test_the_estimate_of_a_discrepancy_has_the_mean_of_the_exact_one(kind, options, monkeypatch):
    x, y = features(1, height=20, width=20), features(2, height=20, width=20)
    statistic = STATISTICS[kind].of([Sample(y)], [1.0], options)
    assert isinstance(statistic, SampledDiscrepancy)
    exact = squared_mmd(points(x) / statistic.scale, points(y) / statistic.scale, statistic.kernel)
    assert statistic(Sample(x)).item() == pytest.approx((exact / statistic.nothing).item(), rel=1e-3)
    for name, few in (("DRAWS", 100), ("PAIRS", 3000)):
        monkeypatch.setattr(f"nst.losses.discrepancy.{name}", few)
    looks = torch.stack([statistic(Sample(x)) for _ in range(400)])
    assert looks.std() > 0
    error = 4 * looks.std() / len(looks) ** 0.5
    assert looks.mean().item() == pytest.approx((exact / statistic.nothing).item(), abs=error.item())


def test_the_gradient_of_the_estimate_points_where_the_exact_one_does(monkeypatch):
    y, exact, estimated = features(2, height=20, width=20), features(1, height=20, width=20), torch.zeros(5, 400)
    statistic = STATISTICS["mmd-gaussian"].of([Sample(y)], [1.0], PLAIN)
    exact.requires_grad_()
    squared_mmd(points(exact) / statistic.scale, points(y) / statistic.scale, statistic.kernel).backward()
    monkeypatch.setattr("nst.losses.discrepancy.PAIRS", 40_000)
    for _ in range(30):
        x = exact.detach().clone().requires_grad_()
        statistic(Sample(x)).backward()
        estimated += x.grad[0].flatten(1)
    wanted = exact.grad[0].flatten(1) / statistic.nothing
    assert torch.cosine_similarity(estimated.flatten(), wanted.flatten(), 0) > 0.95
    assert (estimated.norm() / 30 / wanted.norm()).item() == pytest.approx(1, abs=0.1)


# ---- moments


def test_mean_and_variance_are_those_of_a_diagonal_gaussian():
    x, y = features(1), features(2)
    (mean, variance), (other, target) = mean_variance(x), mean_variance(y)
    assert torch.allclose(variance, moments(x)[1].diagonal(dim1=1, dim2=2), atol=1e-6)
    expected = wasserstein_loss(mean, torch.diag_embed(variance), other, torch.diag_embed(target.sqrt()))
    assert mean_variance_loss(mean, variance, other, target).item() == pytest.approx(expected.item(), abs=1e-3)


def test_guided_moments_and_their_gradient_against_plain_formulas():
    x, guide = features(1).requires_grad_(), features(2, channels=1)
    share = (guide / guide.sum()).flatten(2)
    flat = x.flatten(2)
    mean = (flat * share).sum(2)
    centered = flat - mean[:, :, None]
    known = mean, (centered * share) @ centered.transpose(1, 2)
    ours = moments(x, guide)
    for a, b in zip(known, ours, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    gradients = [torch.autograd.grad(m.sin().sum() + c.cos().sum(), x)[0] for m, c in (known, ours)]
    assert torch.allclose(*gradients, atol=1e-6)
    raw = (flat * share) @ flat.transpose(1, 2)
    gradients = [torch.autograd.grad(g.sin().sum(), x)[0] for g in (raw, gram_matrix(x, guide))]
    assert torch.allclose(*gradients, atol=1e-6)


def test_two_styles_are_mixed_as_one_picture_that_has_both():
    a, b = features(1), features(2)
    both = torch.cat([a, b], 3)
    for kind in ("wasserstein", "gram", "mean-variance", "mmd-linear", "mmd-polynomial"):
        assert distance(kind, features(3), a, b) == pytest.approx(distance(kind, features(3), both), rel=1e-3), kind


# ---- histograms


def test_histograms_of_the_same_values_anywhere_are_equal():
    x = features(1)
    shuffled = x.flatten(2)[..., torch.randperm(99)].view_as(x)
    assert histogram_loss(shuffled, quantiles(x)).item() == pytest.approx(0, abs=1e-4)


def test_a_shifted_histogram_is_as_far_as_it_was_shifted():
    x = features(1, height=50, width=60)
    loss = histogram_loss(x + 0.3, quantiles(x))
    assert loss.item() == pytest.approx((5 * 0.09 / x.square().mean((2, 3)).sum()).item(), rel=1e-2)


def test_quantiles_by_hand():
    x = torch.tensor([4.0, 1.0, 3.0, 2.0]).view(1, 1, 2, 2)
    assert quantiles(x, levels=4).tolist() == [[1, 2, 3, 4]]
    assert quantiles(x, levels=1).tolist() == [[2]]
    guide = torch.tensor([1.0, 0.0, 0.0, 3.0]).view(1, 1, 2, 2)  # three quarters of it lie at 2
    assert quantiles(x, guide, levels=8).tolist() == [[2.0] * 6 + [4.0] * 2]


def test_the_mean_of_two_histograms_lies_between_them():
    a = features(1)
    mixed = STATISTICS["histogram"].of([Sample(a), Sample(a + 1)], [0.25, 0.75], PLAIN)
    assert torch.allclose(mixed.target, quantiles(a) + 0.75, atol=1e-5)


# ---- correlations across layers


def test_correlations_across_layers_are_those_of_enlarged_features():
    shallow, deep = features(1, 3, 8, 12), features(2, 4, 4, 6)
    enlarged = deep.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = (shallow[0] - 0.5).flatten(1) @ (enlarged[0] - 0.5).flatten(1).T / 96
    assert torch.allclose(cross_gram(shallow, deep, -0.5)[0], expected, atol=1e-5)
    assert torch.allclose(cross_gram(shallow, shallow), gram_matrix(shallow), atol=1e-6)


@pytest.mark.parametrize("guided", [False, True])
def test_gradients_by_hand_are_those_of_automatic_differentiation(guided):
    guide = features(3, 1) if guided else None
    share = (torch.full((1, 1, 9, 11), 1 / 99) if guide is None else guide / guide.sum()).flatten(2)
    x, y = features(1).requires_grad_(), features(2, 4).requires_grad_()
    flat, other = x.flatten(2), y.flatten(2)
    mean = (flat * share).sum(2)
    known = mean, ((flat - mean[:, :, None]).square() * share).sum(2)
    losses = [m.sin().sum() + v.cos().sum() for m, v in (known, mean_variance(x, guide))]
    assert torch.allclose(*(torch.autograd.grad(loss, x)[0] for loss in losses), atol=1e-6)
    crossed = ((flat - 0.4) * share) @ (other - 0.4).transpose(1, 2)
    gradients = [torch.autograd.grad(c.sin().sum(), (x, y)) for c in (crossed, cross_gram(x, y, -0.4, guide))]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


def test_which_layers_are_correlated():
    assert layer_pairs("abc", "own") == [("a",), ("b",), ("c",)]
    assert layer_pairs("abc", "chain") == [("a", "b"), ("b", "c")]
    assert layer_pairs("abc", "cross") == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")]
    assert layer_pairs("a", "chain") == [("a",)]
    with pytest.raises(ValueError, match="chain, cross, own"):
        layer_pairs("abc", "all")


def test_halving_weights_by_hand():
    assert halving_weights(3) == [4, 2, 1]


@pytest.mark.parametrize("correlations", CORRELATIONS)
def test_a_matrix_for_each_stage_gives_the_loss_of_each_pair(correlations):
    encoder, counts = tiny_encoder(), halving_weights(9)
    style, image = (encoder(picture(seed, 41, 58), encoder.layers) for seed in (2, 1))
    options = StyleOptions(correlations=correlations, activation_shift=-0.7)
    loss = StyleLoss(style, encoder.layers, counts, kind="correlation", options=options)
    by_layer = dict(zip(encoder.layers, counts, strict=True))
    terms = []
    for pair in layer_pairs(encoder.layers, correlations):
        fitted = [_shrunk(style[name], style[pair[-1]]) for name in (pair[0], pair[-1])]
        shift = -0.7 * torch.stack([one.mean() for one in fitted]).mean()
        grams = [cross_gram(features[pair[0]], features[pair[-1]], shift) for features in (image, style)]
        terms.append((math.sqrt(by_layer[pair[0]] * by_layer[pair[-1]]), gram_loss(*grams)))
    expected = sum(count * term for count, term in terms) / sum(count for count, _ in terms)
    assert loss(image)["style"].item() == pytest.approx(expected.item(), rel=1e-4)


def _shrunk(features: torch.Tensor, deeper: torch.Tensor) -> torch.Tensor:
    while features.shape[-1] > deeper.shape[-1]:
        features = average_pool(features)
    return features


@pytest.mark.parametrize("correlations", CORRELATIONS)
def test_every_correlation_sees_another_style(correlations):
    encoder, options = tiny_encoder(), StyleOptions(correlations=correlations)
    style = encoder(picture(2), encoder.layers)
    loss = StyleLoss(style, encoder.layers, kind="correlation", options=options)
    assert loss(style)["style"].item() == pytest.approx(0, abs=1e-5)
    assert loss(encoder(picture(1), encoder.layers))["style"] > 1e-3


# ---- patches


def test_each_patch_finds_itself_whatever_the_chunks(monkeypatch):
    found = unfold_patches(features(1), 3)
    assert found.shape == (7 * 9, 5 * 9)
    whole = nearest_patches(found, found)
    monkeypatch.setattr("nst.losses.patches.SCORES", 200)
    assert torch.equal(nearest_patches(found, found), whole) and torch.equal(whole, torch.arange(63))


def test_patches_are_found_wherever_they_are_and_whatever_their_contrast():
    x = features(1)
    assert distance("patches", torch.roll(x, (0, 3), (2, 3))[..., 3:], x) == pytest.approx(0, abs=1e-6)
    assert distance("patches", features(2), x) > 0.01


def test_maps_decide_which_patches_are_alike():
    x = features(1)
    left = torch.zeros(1, 1, 9, 11)
    left[..., :5] = 1
    now, bank = unfold_patches(x, 3), unfold_patches(x, 3)
    maps = unfold_patches(left, 3)
    swapped = nearest_patches(now, bank, 1 - maps, maps, 100.0)  # says of each patch that it lies on the other side
    assert ((1 - maps) - maps[swapped]).abs().mean() < 0.1
    assert torch.equal(nearest_patches(now, bank, maps, maps, 1.0), torch.arange(63))


def test_patches_are_matched_anew_every_few_steps_and_whenever_nothing_is_optimized(monkeypatch):
    statistic, matched = STATISTICS["patches"].of([Sample(features(1))], [1.0], PLAIN), []
    match = statistic.find_matches
    monkeypatch.setattr(statistic, "find_matches", lambda *given: matched.append(1) or match(*given))
    for _ in range(REMATCH + 1):
        statistic(Sample(features(2).requires_grad_())).backward()
    assert len(matched) == 2
    statistic(Sample(features(3)))
    assert len(matched) == 3


def test_patches_come_only_from_where_the_style_may_be_taken():
    style = torch.cat([torch.zeros(1, 5, 9, 6), features(1, width=6) + 1], 3)
    guide = torch.cat([torch.zeros(1, 1, 9, 6), torch.ones(1, 1, 9, 6)], 3)
    statistic = STATISTICS["patches"].of([Sample(style, guide)], [1.0], PLAIN)
    assert len(statistic.bank) == 7 * 5 and statistic.bank.view(-1, 5, 9)[:, :, 4].min() >= 1


def test_a_heavier_style_gives_more_patches(monkeypatch):
    monkeypatch.setattr("nst.losses.patches.MOST", 40)
    zeros, ones = (Sample(torch.full((1, 2, 9, 11), value)) for value in (0.0, 1.0))
    assert STATISTICS["patches"].of([zeros, ones], [0.25, 0.75], PLAIN).bank[:, 0].tolist() == [0.0] * 10 + [1.0] * 30


# ---- what all have in common

EVERY = [(kind, PLAIN) for kind in STYLE_LOSSES] + [
    ("mmd-polynomial", StyleOptions(kernel_degree=3)),
    ("correlation", StyleOptions(correlations="cross")),
    ("correlation", StyleOptions(correlations="own", activation_shift=0.0)),
    ("patches", StyleOptions(circular=True, patch_size=2)),
]


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_no_features_at_all_are_at_distance_one(kind, options):
    style = features(1) + 0.2
    shifted = kind == "correlation" and options.activation_shift  # zeros are something there
    options = replace(options, activation_shift=0.0) if shifted else options
    # No patch of the style is a mean one.
    rough = 0.5 if kind == "patches" else 0.1
    assert distance(kind, torch.zeros_like(style), style, options=options) == pytest.approx(1, rel=rough)


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_a_guide_of_ones_is_no_guide(kind, options):
    x, y = features(1, height=20, width=20), features(2, height=20, width=20)
    guided = distance(kind, x, y, options=options, guide=torch.full((1, 1, 20, 20), 0.7))
    assert guided == pytest.approx(distance(kind, x, y, options=options), rel=0.05)


@pytest.mark.parametrize("kind", [kind for kind in STYLE_LOSSES if kind != "patches"])
def test_a_guided_statistic_is_that_of_the_part_alone(kind):
    x, y = features(1, height=20, width=30), features(2, height=20, width=30)
    guide = torch.zeros(1, 1, 20, 30)
    guide[..., :10, 5:25] = 1
    part, rough = distance(kind, x[..., :10, 5:25], y), 0.25 if kind == "mmd-gaussian" else 0.1
    assert distance(kind, x, y, guide=guide) == pytest.approx(part, rel=rough)
    statistic = STATISTICS[kind].of([Sample(x, guide)], [1.0], PLAIN)
    other = STATISTICS[kind].of([Sample(x[..., :10, 5:25])], [1.0], PLAIN)
    assert look(statistic, Sample(y)) == pytest.approx(look(other, Sample(y)), rel=rough)


def _guides(encoder) -> dict[str, torch.Tensor]:
    left = torch.zeros(1, 1, 24, 32)
    left[..., :16] = 1
    shapes = {name: f.shape[-2:] for name, f in encoder(picture(0), LAYERS).items()}
    return {name: torch.nn.functional.interpolate(left, shape, mode="area") for name, shape in shapes.items()}


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_five_steps_from_noise_lower_every_loss(kind, options, guided):
    encoder = tiny_encoder()
    guides = _guides(encoder) if guided else None
    style = encoder(picture(2), LAYERS)
    loss = StyleLoss(style, LAYERS, kind=kind, options=options, guides=guides, style_guides=[guides])
    noise = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(9))
    device = choose_device("cpu")
    steps = list(optimize(PixelImage(noise), encoder, PerceptualLoss([loss]), device=device, num_steps=6))
    assert steps[5].loss < steps[0].loss


@pytest.mark.parametrize("mixing", MIXING)
@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_a_style_of_weight_zero_does_not_count(kind, mixing):
    encoder = tiny_encoder()
    styles = [encoder(picture(seed), LAYERS) for seed in (1, 2)]
    now = encoder(picture(3), LAYERS)
    mixed = StyleLoss(styles, LAYERS, kind=kind, style_weights=[0, 5], mixing=mixing)(now)["style"]
    assert mixed.item() == pytest.approx(StyleLoss(styles[1], LAYERS, kind=kind)(now)["style"].item(), rel=1e-4)


def test_mixed_losses_are_the_mean_of_the_losses():
    encoder = tiny_encoder()
    styles, now = [encoder(picture(seed), LAYERS) for seed in (1, 2)], encoder(picture(3), LAYERS)
    each = [StyleLoss(style, LAYERS)(now)["style"] for style in styles]
    mixed = StyleLoss(styles, LAYERS, style_weights=[1, 3], mixing="losses")(now)["style"]
    assert mixed.item() == pytest.approx((each[0] / 4 + each[1] * 3 / 4).item())
    with pytest.raises(ValueError, match="statistics or losses"):
        StyleLoss(styles, LAYERS, mixing="paint")
    with pytest.raises(ValueError, match="2 weights"):
        StyleLoss(styles, LAYERS, style_weights=[0, 0])


def test_terms_of_one_name_add_up():
    encoder = tiny_encoder()
    style, now = encoder(picture(1), LAYERS), encoder(picture(2), LAYERS)
    losses = [StyleLoss(style, LAYERS, kind=kind) for kind in ("gram", "histogram")]
    both = PerceptualLoss(losses)(now)
    assert both.keys() == {"style"}
    assert both["style"].item() == pytest.approx(sum(loss(now)["style"].item() for loss in losses))


# ---- regularizers


def test_the_norm_by_hand():
    assert alpha_norm(torch.full((1, 3, 4, 4), 0.5)).item() == pytest.approx(0, abs=1e-6)
    assert alpha_norm(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)).item() == pytest.approx(1, rel=1e-5)
    assert alpha_norm(torch.full((1, 3, 4, 4), 0.75), 2.0).item() == pytest.approx(0.25)
    assert NormLoss(2.0)({"image": torch.ones(1, 3, 2, 2)})["norm"].item() == pytest.approx(2, rel=1e-5)
    with pytest.raises(ValueError, match="above 0"):
        alpha_norm(torch.ones(1, 3, 2, 2), -1)


def test_circular_total_variation_sees_the_seam():
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8) / 8
    assert total_variation(ramp, padding="circular") > 3 * total_variation(ramp)
    wave = torch.sin(torch.arange(8.0) * torch.pi / 4).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    rolled = total_variation(wave.roll(3, 3), padding="circular")
    assert rolled.item() == pytest.approx(total_variation(wave, padding="circular").item())


def test_flat_features_in_bfloat16_have_no_variance_below_zero():
    """Rounded sums would leave some, and the root of the covariance would be no number."""
    ramp = torch.linspace(0, 1, 48 * 64).reshape(1, 1, 48, 64)
    weights = torch.rand(24, 1, 1, 1, generator=torch.Generator().manual_seed(0)) + 0.5
    features = F.conv2d(ramp, weights).relu().bfloat16()
    covariance = moments(features)[1]
    assert torch.linalg.eigvalsh(covariance)[0, 0] > -1e-6 * covariance.norm()
    assert matrix_root(covariance)[0].isfinite().all()


# ---- parts of a picture


@pytest.mark.parametrize(
    "kind", ["wasserstein", "gram", "mean-variance", "mmd-linear", "mmd-polynomial", "correlation"]
)
def test_what_is_known_of_parts_mixed_by_their_size_is_what_is_known_of_the_whole(kind):
    """The loss and its gradient, by tiles of any size: so a picture need never be looked at as a whole."""
    statistic = STATISTICS[kind].of([Sample(features(2, 8, 20, 30))], [1.0], PLAIN)
    whole = features(1, 8, 31, 23).requires_grad_()
    tiled = whole.detach().clone().requires_grad_()
    tiles = [tile for rows in tiled.split([7, 24], 2) for tile in rows.split([10, 13], 3)]
    shares = [tile[0, 0].numel() / tiled[0, 0].numel() for tile in tiles]
    known = statistic.mix([statistic.measure(Sample(tile)) for tile in tiles], shares)
    losses = statistic(Sample(whole)), statistic.compare(*known)
    gradients = [torch.autograd.grad(loss, x)[0] for loss, x in zip(losses, (whole, tiled), strict=True)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-3)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[0].norm()
