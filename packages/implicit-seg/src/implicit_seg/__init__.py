"""Segmentation whose boundary is the zero set of a spline: networks, losses, priors and metrics in torch."""

from importlib.metadata import version

from implicit_seg._geometry.components import filter_components
from implicit_seg._geometry.contours import Contour, Region
from implicit_seg._geometry.differentiable import spline_area, spline_perimeter
from implicit_seg._geometry.mesh import SurfaceMesh
from implicit_seg._geometry.solid import SolidMeasures
from implicit_seg._geometry.spline import ImplicitSpline
from implicit_seg._losses.interface import (
    SURFACE_TENSION,
    PhaseFieldLoss,
    TotalVariationLoss,
    modica_mortola_energy,
    total_variation,
)
from implicit_seg._losses.masks import (
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
from implicit_seg._losses.reaction_diffusion import (
    ReactionDiffusionLoss,
    bistable,
    fisher_kpp,
    reaction_diffusion_residual,
)
from implicit_seg._losses.schedules import CosineSchedule, LinearSchedule, Schedule
from implicit_seg._losses.weighted import LossTerm, WeightedLoss
from implicit_seg._metrics.boundary_f import boundary_f
from implicit_seg._metrics.each import score_each
from implicit_seg._metrics.hausdorff import hausdorff_distance
from implicit_seg._metrics.overlap import accuracy, dice, jaccard
from implicit_seg._metrics.perimeter import mask_perimeter, perimeter_ratio
from implicit_seg._metrics.topology import betti_error, betti_numbers
from implicit_seg._networks.spline import SplineNetwork
from implicit_seg._networks.unet import UNet, UNetImplicit
from implicit_seg._networks.vgg import VGGImplicit1, VGGImplicit2
from implicit_seg._splines.collocation import collocation_matrix, open_uniform_knots
from implicit_seg._splines.evaluation import evaluate_spline
from implicit_seg._splines.head import TensorProductSplineHead

__version__ = version("implicit-seg")

__all__ = [
    "SURFACE_TENSION",
    "AccuracyLoss",
    "Contour",
    "CosineSchedule",
    "DiceLoss",
    "ImplicitSpline",
    "JaccardLoss",
    "LinearSchedule",
    "LossTerm",
    "MaskMAELoss",
    "MaskMSELoss",
    "PhaseFieldLoss",
    "ReactionDiffusionLoss",
    "Region",
    "Schedule",
    "SolidMeasures",
    "SplineNetwork",
    "SurfaceMesh",
    "TensorProductSplineHead",
    "TotalVariationLoss",
    "UNet",
    "UNetImplicit",
    "VGGImplicit1",
    "VGGImplicit2",
    "WeightedLoss",
    "accuracy",
    "accuracy_loss",
    "betti_error",
    "betti_numbers",
    "bistable",
    "boundary_f",
    "collocation_matrix",
    "dice",
    "dice_loss",
    "evaluate_spline",
    "filter_components",
    "fisher_kpp",
    "hausdorff_distance",
    "jaccard",
    "jaccard_loss",
    "mask_mae_loss",
    "mask_mse_loss",
    "mask_perimeter",
    "modica_mortola_energy",
    "open_uniform_knots",
    "perimeter_ratio",
    "reaction_diffusion_residual",
    "score_each",
    "soft_mask",
    "spline_area",
    "spline_perimeter",
    "total_variation",
]
