from torch import nn

from qivis.models.replace import replace_layers


def test_layers_are_replaced_at_any_depth_and_nothing_is_looked_for_in_what_took_their_place():
    inner = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    model = nn.Sequential(nn.ReLU(), nn.Sequential(inner, nn.Identity()))
    seen = []

    def faster(layer):
        seen.append(type(layer))
        return nn.Sequential(nn.ReLU()) if isinstance(layer, nn.ReLU) else None

    replace_layers(model, faster)
    assert [type(layer) for layer in (model[0], inner[0])] == [nn.Sequential, nn.Sequential]
    assert [type(layer) for layer in (model[0][0], inner[0][0])] == [nn.ReLU, nn.ReLU]
    kept = [nn.Sequential, nn.Sequential, nn.ReLU, nn.Linear, nn.Identity]
    assert seen == [nn.ReLU, *kept]


def test_a_layer_that_stands_for_itself_keeps_its_parts():
    attention = nn.MultiheadAttention(4, 2)
    model = nn.Sequential(attention)
    replace_layers(model, lambda layer: layer if layer is attention else nn.Identity())
    assert model[0] is attention
    assert isinstance(attention.out_proj, nn.Linear)
