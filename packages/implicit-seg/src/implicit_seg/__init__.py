"""Segmentation whose boundary is the zero set of a spline: networks, losses, priors and metrics in torch."""

from importlib.metadata import version

from implicit_seg._interface_energies import (
    SURFACE_TENSION,
    PhaseFieldLoss,
    TotalVariationLoss,
    modica_mortola_energy,
    total_variation,
)
from implicit_seg._mask_losses import (
    AccuracyLoss,
    DiceLoss,
    JaccardLoss,
    MaskMAELoss,
    MaskMSELoss,
    accuracy_loss,
    dice_loss,
    jaccard_loss,
    mask_mae_loss,
    mask_mse_loss,
    soft_mask,
)
from implicit_seg._metrics import accuracy, dice, hausdorff_distance, jaccard
from implicit_seg._reaction_diffusion import (
    ReactionDiffusionLoss,
    bistable,
    fisher_kpp,
    reaction_diffusion_residual,
)
from implicit_seg._spline import (
    TensorProductSplineHead,
    collocation_matrix,
    evaluate_spline,
    open_uniform_knots,
)
from implicit_seg._unet import UNet, UNetImplicit
from implicit_seg._vgg import VGGImplicit1, VGGImplicit2

__version__ = version("implicit-seg")

__all__ = [
    "SURFACE_TENSION",
    "AccuracyLoss",
    "DiceLoss",
    "JaccardLoss",
    "MaskMAELoss",
    "MaskMSELoss",
    "PhaseFieldLoss",
    "ReactionDiffusionLoss",
    "TensorProductSplineHead",
    "TotalVariationLoss",
    "UNet",
    "UNetImplicit",
    "VGGImplicit1",
    "VGGImplicit2",
    "accuracy",
    "accuracy_loss",
    "bistable",
    "collocation_matrix",
    "dice",
    "dice_loss",
    "evaluate_spline",
    "fisher_kpp",
    "hausdorff_distance",
    "jaccard",
    "jaccard_loss",
    "mask_mae_loss",
    "mask_mse_loss",
    "modica_mortola_energy",
    "open_uniform_knots",
    "reaction_diffusion_residual",
    "soft_mask",
    "total_variation",
]
