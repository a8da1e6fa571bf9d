"""The classes of Cityscapes that are counted as single objects, with their official ids.

From the benchmark's own table, cityscapesscripts.helpers.labels: those that have instances and are
evaluated. Caravans and trailers have instances, too, but are not evaluated.
"""

from qivis.structures.categories import Categories, Category

CITYSCAPES = Categories(
    (
        Category(24, "person"),
        Category(25, "rider"),
        Category(26, "car"),
        Category(27, "truck"),
        Category(28, "bus"),
        Category(31, "train"),
        Category(32, "motorcycle"),
        Category(33, "bicycle"),
    )
)
