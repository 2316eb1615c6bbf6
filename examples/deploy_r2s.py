"""Deploy R2S: threads share one module that draws a ticket for every image.

    python examples/deploy_r2s.py [FOLDER]

Writes into FOLDER (default: .) the state of the switch, and every ticket for a runtime without
this package.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors.torch import save_file

import rst_core

NAME = "digits/resnet18_eighth/signed_kaiming_constant-seed0/r2s_rst-keep{}-element-pgd7-eps8"
folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

switch = rst_core.load(NAME.format("0.05+0.2+0.5"))
images, labels = rst_core.load_test_images("digits")

with torch.inference_mode(), ThreadPoolExecutor(4) as pool:
    answers = torch.cat(list(pool.map(switch, images.split(30)))).argmax(1)
print(f"natural, as drawn: {100 * (answers == labels).float().mean():.1f} %")

# Both are exact expectations over the draws, the second on images made against all tickets (EOT).
print("under EOT of 20 steps:", rst_core.evaluate(switch, (images, labels), "pgd20-eps8"))
print(f"memory that R2S adds, a ticket: {100 * switch.overhead()['masks_a_ticket']:.1f} %")

save_file(switch.state_dict(), folder / "r2s.safetensors")
any_number = ({0: torch.export.Dim("images")},)
for number, ticket in enumerate(switch.tickets):
    exported = torch.export.export(ticket, (images[:2],), dynamic_shapes=any_number)
    torch.export.save(exported, folder / f"ticket{number}.pt2")
print(f"wrote r2s.safetensors and {len(switch)} exported tickets into {folder}")
