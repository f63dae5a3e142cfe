"""Known answers and descent for every loss."""

from __future__ import annotations

import pytest
import torch
from tiny import picture, tiny_encoder

from nst.device import choose_device
from nst.losses import (
    STYLE_LOSSES,
    ContentLoss,
    PerceptualLoss,
    StructureLoss,
    StyleLoss,
    TotalVariationLoss,
    Window,
    content_loss,
    gram,
    gram_loss,
    gram_matrix,
    matrix_root,
    moments,
    normalized_weights,
    total_variation,
    wasserstein_loss,
)
from nst.losses.structure import mean_around
from nst.losses.wasserstein import STEPS, mixed_moments
from nst.optimize import optimize
from nst.params import PixelImage

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def test_gram_matrix_of_two_channels_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert torch.equal(gram_matrix(features), torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 2)


def test_gram_matrix_forgets_where_things_are_and_how_large_the_image_is():
    features = torch.rand(2, 5, 6, 7)
    shuffled = features.flatten(2)[..., torch.randperm(42)].view_as(features)
    assert torch.allclose(gram_matrix(shuffled), gram_matrix(features), atol=1e-6)
    assert torch.allclose(gram_matrix(features.repeat(1, 1, 3, 2)), gram_matrix(features), atol=1e-6)


def test_gram_matrix_is_float32_under_autocast():
    features = torch.rand(1, 3, 4, 4).bfloat16()
    assert gram_matrix(features).dtype == torch.float32


def test_content_loss_by_hand():
    target = torch.tensor([0.0, 2.0, 4.0]).view(1, 1, 1, 3)  # variance 4
    assert content_loss(target + 1, target).item() == pytest.approx(1 / 4)
    assert content_loss(target, target).item() == 0


def test_gram_loss_by_hand():
    target = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]])
    assert gram_loss(torch.zeros(1, 2, 2), target).item() == pytest.approx(1)
    assert gram_loss(2 * target, target).item() == pytest.approx(1)
    assert gram_loss(target, target).item() == 0


def test_moments_by_hand():
    mean, covariance = moments(torch.tensor([[[[1.0, 3.0]], [[2.0, 6.0]]]]))
    assert mean.tolist() == [[2.0, 4.0]]
    assert covariance.tolist() == [[[1.0, 2.0], [2.0, 4.0]]]


def test_the_steps_of_the_root_bring_all_that_is_resolved_to_one():
    x = torch.logspace(-2.5, 0, 1000, dtype=torch.float64)
    for a, b, c in STEPS:
        x = x * (a + b * x**2 + c * x**4)
    assert (x - 1).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("way", "exact"),
    [(gram.by_parts, 1e-4), (gram.at_once, 1e-4), (lambda x, _: gram.uncentered(x), gram.ROUNDED * 70 * 36**2)],
)
def test_moments_are_those_of_the_whole_at_once(way, exact, monkeypatch):
    monkeypatch.setattr("nst.losses.gram.PART", 2**9)
    x = (torch.rand(2, 70, 40, 30, generator=torch.Generator().manual_seed(0)) + 5) ** 2
    guide = torch.rand(2, 1, 40, 30, generator=torch.Generator().manual_seed(1))
    for share in (None, guide) if way in (gram.by_parts, gram.at_once) else (None,):
        flat, counts = x.double().flatten(2), (torch.ones_like(guide) if share is None else guide).double().flatten(2)
        counts = counts / counts.sum(2, keepdim=True)
        mean = (flat * counts).sum(2)
        apart = flat - mean[:, :, None]
        found = way(x.flatten(2).mT, None if share is None else counts.float().mT)
        assert torch.allclose(found[0][:, 0].double(), mean, rtol=1e-6)
        assert torch.allclose(found[1].double(), apart * counts @ apart.transpose(1, 2), rtol=1e-4, atol=exact)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_flat_within_a_guide_has_no_variance_however_far_it_is_from_the_rest(dtype):
    x = 40 * torch.rand(1, 64, 32, 32, generator=torch.Generator().manual_seed(0))
    x[..., :8] = 100 + torch.arange(64.0)[:, None, None] / 7
    guide = torch.zeros(1, 1, 32, 32)
    guide[..., :8] = 1
    mean, covariance = moments(x.to(dtype), guide)
    assert torch.allclose(mean[0], x[0, :, 0, 0].to(dtype).float(), rtol=1e-6)
    assert covariance.abs().max() < 1e-6


@pytest.mark.parametrize("varied", [0, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("way", [gram.by_parts, gram.at_once, lambda x, _: gram.uncentered(x.bfloat16().float())])
def test_what_hardly_varies_is_compared_like_everything_else(way, varied):
    """No rounding makes a variance negative, of which there would be no root: neither of one picture nor of several."""
    random = torch.Generator().manual_seed(0)
    flat = [2 * torch.rand(1, 1, 64, generator=random) for _ in range(2)]
    found = [way(x + varied * torch.randn(1, 4096, 64, generator=random), None) for x in (*flat, flat[0])]
    found = [(mean[:, 0], covariance) for mean, covariance in found]
    for mean, covariance in (
        found[0],
        mixed_moments(found[::2], [1 / 3, 2 / 3]),
        mixed_moments(found, [0.1, 0.2, 0.7]),
    ):
        root, inverse = matrix_root(covariance)
        assert root.isfinite().all() and inverse.isfinite().all()
        assert wasserstein_loss(mean, covariance, mean, root).abs() < 1e-3


def test_a_mixture_s_moments_are_those_of_its_parts_together():
    x = torch.rand(1, 40, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parts, mean = (x[:, :10], x[:, 10:]), x.mean(1)
    found = [(part.mean(1), torch.cov(part[0].T, correction=0)[None]) for part in parts]
    mixed = mixed_moments(found, [0.25, 0.75])
    assert torch.allclose(mixed[0], mean) and torch.allclose(mixed[1], torch.cov(x[0].T, correction=0)[None])
    # With weights that do not sum to 1, as before the last tile: what the raw moments say.
    mean, covariance = mixed_moments(found, [0.25, 0.5])
    raw = sum(w * (c + m[:, :, None] * m[:, None]) for w, (m, c) in zip([0.25, 0.5], found, strict=True))
    assert torch.allclose(covariance, raw - mean[:, :, None] * mean[:, None])


def test_matrix_root_squares_to_the_matrix():
    x = torch.rand(2, 5, 20)
    matrix = x @ x.transpose(1, 2)
    root, inverse = matrix_root(matrix)
    assert torch.allclose(root @ root, matrix, atol=1e-3)
    assert torch.allclose(root @ inverse, torch.eye(5).expand(2, 5, 5), atol=1e-2)


def test_wasserstein_of_commuting_gaussians_against_the_closed_form():
    mean, other = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[0.0, 2.0, 2.0]])
    variances, target = torch.tensor([4.0, 1.0, 9.0]), torch.tensor([1.0, 16.0, 4.0])
    loss = wasserstein_loss(mean, torch.diag(variances)[None], other, torch.diag(target.sqrt())[None])
    distance = 1 + 4 + ((variances.sqrt() - target.sqrt()) ** 2).sum()
    assert loss.item() == pytest.approx((distance / (8 + target.sum())).item(), rel=1e-2)


def test_wasserstein_against_an_independent_formula():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(6, 30, generator=generator, dtype=torch.float64) for _ in range(2))
    s, t = torch.cov(a), torch.cov(b)
    # tr (t^1/2 s t^1/2)^1/2 is the sum of the roots of the eigenvalues of s t, which is not symmetric
    cross = torch.linalg.eigvals(s @ t).real.clamp_min(0).sqrt().sum()
    expected = ((a.mean(1) - b.mean(1)) ** 2).sum() + s.trace() + t.trace() - 2 * cross
    scale = (b.mean(1) ** 2).sum() + t.trace()
    loss = wasserstein_loss(a.mean(1)[None], s[None], b.mean(1)[None], matrix_root(t[None])[0])
    assert loss.item() == pytest.approx((expected / scale).item(), abs=2e-3)


def test_wasserstein_gradient_against_finite_differences():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1, 4, 5, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    (mean, covariance), (other, target) = ((x.mean((2, 3)), torch.cov(x[0].flatten(1))[None]) for x in (a, b))
    root = matrix_root(target)[0]
    covariance.requires_grad_()
    loss = lambda c: wasserstein_loss(mean, (c + c.mT) / 2, other, root)  # noqa: E731
    assert torch.autograd.gradcheck(loss, (covariance,), atol=1e-3)


def test_wasserstein_gradient_is_finite_where_covariances_are_singular():
    features = torch.zeros(1, 4, 3, 3, requires_grad=True)
    _, covariance = moments(torch.rand(1, 4, 1, 2))
    wasserstein_loss(*moments(features), torch.zeros(1, 4), matrix_root(covariance)[0]).backward()
    assert features.grad is not None and features.grad.isfinite().all()


def test_total_variation_of_flat_and_ramp():
    assert total_variation(torch.full((1, 3, 8, 8), 0.3)).item() == 0
    ramp = torch.arange(100.0).view(1, 1, 1, 100).expand(1, 1, 100, 100) / 100
    # inside: dx = 0.01; both diagonals see it too: (2/3 + 1/6 + 1/6) dx^2
    assert total_variation(ramp).item() == pytest.approx(1e-4, rel=0.03)


def test_total_variation_of_white_noise():
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    # Each step's mean square is 2 / 12; the nine points weigh steps 2/3, 2/3, 1/6 and 1/6.
    assert total_variation(noise).item() == pytest.approx(2 / 12 * 5 / 3, rel=0.03)


def test_total_variation_with_exponent_one_is_about_the_slope():
    ramp = torch.arange(100.0).view(1, 1, 1, 100).expand(1, 1, 100, 100) / 100
    assert total_variation(ramp, 1.0).item() == pytest.approx(0.01, rel=0.05)
    with pytest.raises(ValueError, match="above 0"):
        total_variation(ramp, 0)


def test_total_variation_sees_a_checkerboard_that_axes_alone_would_weigh_less():
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    stripes = (torch.arange(16)[:, None] * 0 + torch.arange(16)) % 2
    assert total_variation(board.float()[None, None]) > total_variation(stripes.float()[None, None])


def test_weights_are_normalized_or_refused():
    assert normalized_weights([1, 3], 2) == [0.25, 0.75]
    assert normalized_weights(None, 4) == [0.25] * 4
    for bad in ([1.0], [1.0, -1.0], [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]):
        with pytest.raises(ValueError, match="2 weights"):
            normalized_weights(bad, 2)


def test_unknown_style_loss_names_the_known_ones():
    with pytest.raises(ValueError, match=r"wasserstein, gram, .* or relaxed-transport"):
        StyleLoss(tiny_encoder()(picture(0), LAYERS), LAYERS, kind="cosine")


def test_targets_are_computed_once_and_not_saved():
    loss = StyleLoss(tiny_encoder()(picture(0), LAYERS), LAYERS)
    assert loss.state_dict() == {}
    assert [buffer.shape[1] for buffer in loss.buffers() if buffer.ndim > 1] == [4, 6, 8, 8, 8]


def _criteria() -> dict[str, torch.nn.Module]:
    encoder = tiny_encoder()
    content, style = encoder(picture(1), (*LAYERS, "relu4_2")), encoder(picture(2), LAYERS)
    losses: dict[str, torch.nn.Module] = {f"style {k}": StyleLoss(style, LAYERS, kind=k) for k in STYLE_LOSSES}
    losses["weighted"] = StyleLoss(style, LAYERS, [1, 2, 3, 4, 5])
    losses["content"] = ContentLoss(content, ["relu4_2"])
    losses["structure"] = StructureLoss(picture(1), torch.ones(1, 1, 24, 32), weight=1.0)
    losses["tv"] = TotalVariationLoss(picture(1), weight=1.0)
    losses["tv 1.5"] = TotalVariationLoss(picture(1), weight=1.0, exponent=1.5)
    return losses


@pytest.mark.parametrize("name", list(_criteria()))
def test_five_steps_from_noise_lower_every_loss(name):
    noise = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(9))
    criterion = PerceptualLoss([_criteria()[name]])
    steps = list(optimize(PixelImage(noise), tiny_encoder(), criterion, device=choose_device("cpu"), num_steps=6))
    assert steps[5].loss < steps[0].loss


@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_a_style_is_at_no_distance_from_itself(kind):
    features = tiny_encoder()(picture(0), LAYERS)
    assert StyleLoss(features, LAYERS, kind=kind)(features)["style"].item() == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("shape", [(2, 3, 24, 33), (1, 3, 3, 7)])
def test_the_mean_around_is_that_of_as_many_as_there_are(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)
    torch.testing.assert_close(mean_around(x), expected)


def test_structural_similarity_is_the_metrics():
    from nst.losses.structure import structural_similarity
    from nst.metrics import luminance_ssim

    image = picture(0, 64, 80)
    other = 0.6 * image + 0.4 * picture(1, 64, 80)
    assert float(structural_similarity(other, image)) == pytest.approx(luminance_ssim(other, image), abs=2e-3)
    both = structural_similarity(torch.cat([image, other]), torch.cat([image, image]))
    assert both[0] == pytest.approx(1) and both[1] < 1


def test_what_is_as_rough_as_photo_or_style_pays_nothing():
    smooth, rough = picture(1), torch.rand(1, 3, 24, 32)
    alone, both = TotalVariationLoss(smooth, weight=1.0), TotalVariationLoss(smooth, rough, weight=1.0)
    assert float(alone({"image": rough})["tv"]) > 1
    assert float(both({"image": rough})["tv"]) == float(both({"image": smooth})["tv"]) == 0
    assert float(both({"image": (2 * rough - 0.5)})["tv"]) > 1


def test_what_is_dark_beside_light_may_change_in_color_and_contrast_but_not_turn_round():
    photo, care = picture(1, 48, 64), torch.ones(1, 1, 48, 64)
    loss = StructureLoss(photo, care, weight=1.0)

    def term(image):
        return float(loss({"image": image})["content"])

    assert term(photo) == pytest.approx(0, abs=1e-3)
    assert term(0.3 + 0.5 * photo) < 0.05 * term(1 - photo)
    noticed = sum(float(share.sum()) for name, share in loss.named_buffers() if name.startswith("share"))
    assert term(1 - photo) == pytest.approx(2 * noticed, rel=0.25), "unlike by 2 where there is anything to be seen"
    assert float(StructureLoss(photo, 3 * care, weight=2.0)({"image": 1 - photo})["content"]) == pytest.approx(
        6 * term(1 - photo), rel=1e-4
    )
    flat = StructureLoss(torch.full_like(photo, 0.4), care, weight=1.0)
    assert float(flat({"image": photo})["content"]) < 1e-6, "where the photo is flat all may be painted"


@pytest.mark.parametrize("shape", [(200, 150), (600, 40), (5, 40)])
def test_the_structure_of_tiles_adds_up_to_the_whole(shape):
    height, width = shape
    photo, image = picture(1, *shape), {"image": picture(2, *shape)}
    loss = StructureLoss(photo, torch.ones(1, 1, *shape), weight=1.0)
    cut = [slice(0, height // 32 * 16), slice(height // 32 * 16, height)]
    windows = [Window(rows, slice(0, width), height, width, 0, {}) for rows in cut if rows.stop > rows.start]
    parts = [float(loss.part({"image": image["image"][(..., *w.ring)]}, w)["content"]) for w in windows]
    assert sum(parts) == pytest.approx(float(loss(image)["content"]), rel=1e-5)
