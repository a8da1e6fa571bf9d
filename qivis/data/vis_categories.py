"""Classes of the video sets, and the classes of COCO that answer for them.

Class lists: the `categories` of the official annotation files; ids count from 1 in their order.
COCO maps: sukjunhwang/VITA, vita/data/datasets/ytvis.py. They join what a video set does not tell
apart (a bicycle is a motorbike) and leave out what it does not know.
"""

from collections.abc import Mapping
from types import MappingProxyType

from qivis.structures import Categories, Category


def _numbered(names: str) -> Categories:
    return Categories(tuple(Category(i, name) for i, name in enumerate(names.split(), start=1)))


YOUTUBE_VIS_2019 = _numbered(
    "person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck cat "
    "cow fish train horse turtle bear motorbike giraffe leopard fox deer owl surfboard airplane "
    "truck zebra tiger elephant snowboard boat shark mouse frog eagle earless_seal tennis_racket"
)
# The set of 2022 has the classes of 2021.
YOUTUBE_VIS_2021 = _numbered(
    "airplane bear bird boat car cat cow deer dog duck earless_seal elephant fish flying_disc fox "
    "frog giant_panda giraffe horse leopard lizard monkey motorbike mouse parrot person rabbit "
    "shark skateboard snake snowboard squirrel surfboard tennis_racket tiger train truck turtle "
    "whale zebra"
)
OVIS = _numbered(
    "Person Bird Cat Dog Horse Sheep Cow Elephant Bear Zebra Giraffe Poultry Giant_panda Lizard "
    "Parrot Monkey Rabbit Tiger Fish Turtle Bicycle Motorcycle Airplane Boat "
    "Vehical"  # spelt so in the official file
)

# COCO category id: category id of the video set.
COCO_TO_YOUTUBE_VIS_2019: Mapping[int, int] = MappingProxyType(
    {1: 1, 2: 21, 3: 6, 4: 21, 5: 28, 7: 17, 8: 29, 9: 34, 17: 14, 18: 8, 19: 18, 21: 15, 22: 32}
    | {23: 20, 24: 30, 25: 22, 35: 33, 36: 33, 41: 5, 42: 27, 43: 40}
)
COCO_TO_YOUTUBE_VIS_2021: Mapping[int, int] = MappingProxyType(
    {1: 26, 2: 23, 3: 5, 4: 23, 5: 1, 7: 36, 8: 37, 9: 4, 16: 3, 17: 6, 18: 9, 19: 19, 21: 7}
    | {22: 12, 23: 2, 24: 40, 25: 18, 34: 14, 35: 31, 36: 31, 41: 29, 42: 33, 43: 34}
)
COCO_TO_OVIS: Mapping[int, int] = MappingProxyType(
    {1: 1, 2: 21, 3: 25, 4: 22, 5: 23, 6: 25, 8: 25, 9: 24, 17: 3, 18: 4, 19: 5, 20: 6, 21: 7}
    | {22: 8, 23: 9, 24: 10, 25: 11}
)
