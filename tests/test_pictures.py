"""The pictures are those that were looked at: a net under the tests of what is drawn.

After a change that was meant, look at them and keep the new ones: `make pictures`.
"""

from __future__ import annotations

import pytest
from figure_studies import NAMES, figure

# The smallest difference that an eye would see; another processor may draw an edge a shade apart.
TOLERANCE = 4


@pytest.mark.xdist_group("figures")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.mpl_image_compare(
    baseline_dir="pictures",
    tolerance=TOLERANCE,
    style="default",
    remove_text=False,
    savefig_kwargs={"dpi": 80, "metadata": {"Software": None}},
)
def test_picture(name):
    return figure(name, 60, data="synthetic")
