"""Load a ticket and attack it with a library of the field, here foolbox.

    python examples/attack_a_ticket.py [MODEL] [IMAGES]

MODEL is a file, or a name such as those of rst_core.example_names(); IMAGES a dataset's name or
a folder of images.
"""

import sys

import foolbox

import rst_core

DIGITS = "digits/resnet18_eighth/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
name, source = (*sys.argv[1:], *(DIGITS, "digits")[len(sys.argv) - 1 :])

model = rst_core.load(name)  # an nn.Module on [0, 1] images
test = rst_core.load_test_images(source, 100)
attack = foolbox.attacks.LinfPGD(steps=20, abs_stepsize=2 / 255)


def by_foolbox(images, labels):
    """Adversarial images, as rst_core.evaluate wants them."""
    return attack(foolbox.PyTorchModel(model, (0, 1)), images, labels, epsilons=8 / 255)[1]


print(f"{name} on {len(test[1])} images of {source}")
print("foolbox LinfPGD:", rst_core.evaluate(model, test, by_foolbox))
print("our own PGD-20: ", rst_core.evaluate(model, test, "pgd20-eps8"))
