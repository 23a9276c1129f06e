"""spiking: a connectome as a trainable network, written by connectome2net.

Spec twelve_cells_spiking, sha256 061139df5432fbf3ec146f8c2b1c9a2708390ade3942041f934d752e79c408c1
Data by hand, materialization 1

Populations
    name  cells  selected by
    L4E       3  L4; excitatory
    E         6  23P, 5P-IT, 6P-CT, WM-P, Unsure E
    I         3  inhibitory

Projections: W[post, pre]
    matrix    pre  post  sign      rules             edges  synapses
    W_L4E_E   all  all   dale      oja                   4         7
    W_E_E     all  all   dale      oja, homeostatic     12        20
    W_to_I    all  all   dale      hebbian               6         8
    W_from_I  all  all   dale      -                     9        21
    W_I_I     all  all   positive  -                     2         2

dale: W = sign of the presynaptic cell * anatomy * softplus(theta); no learning changes a sign
positive: g = anatomy * softplus(theta), the conductance of a gap junction, each direction its own
What was measured lies in weights.safetensors and stays; only theta is learned, on these edges only.
Change the spec and compile again, rather than this file.
"""

from torch import Tensor, nn

from connectome2net.runtime import dynamics, encode, plasticity, readout, sparse

# Axes: B batch, C channels, H rows, W columns, N cells, K classes.


class SpikingNetwork(nn.Module):
    """Grey images (B, 1, 12, 16), values from 0 to 1 -> logits (B, K)."""

    def __init__(self, arrays: dict[str, Tensor], *, classes: int = 3) -> None:
        super().__init__()
        # image -> feature map
        self.front_end = nn.Sequential(
            encode.Adaptation(),
            encode.Convolution(in_channels=1, out_channels=4, kernel=3, pool=2, norm="group"),
            encode.Dropout(p=0.1),
        )
        # feature map -> all
        self.input = encode.RetinotopicInput(
            arrays,
            channels=4,
            neighbourhood=3,
            cells=3,
            rows_before=0,
            rows_after=9,
        )
        # cells
        self.cells_all = dynamics.LifCells(
            populations=[3, 6, 3],
            tau_ms=[10.0, 10.0, 5.0],
            tau_read_ms=20.0,
            dt_ms=2.0,
            refractory_steps=1,
            surrogate_slope=2.0,
            norm="layer",
            noise=0.0,
        )
        # edges
        self.W_L4E_E = sparse.Projection(arrays, "L4E_E", sign="dale")
        self.W_E_E = sparse.Projection(arrays, "E_E", sign="dale")
        self.W_to_I = sparse.Projection(arrays, "to_I", sign="dale")
        self.W_from_I = sparse.Projection(arrays, "from_I", sign="dale")
        self.W_I_I = sparse.Projection(arrays, "I_I", sign="positive")
        # plasticity
        self.rules_L4E_E = plasticity.Rules(
            plasticity.Oja(self.W_L4E_E, rate=0.002),
        )
        self.rules_E_E = plasticity.Rules(
            plasticity.Oja(self.W_E_E, rate=0.002),
            plasticity.Homeostatic(self.W_E_E, rate=0.001, target=0.3),
        )
        self.rules_to_I = plasticity.Rules(
            plasticity.Hebbian(self.W_to_I, rate=0.001),
        )
        # E, I -> classes
        self.readout = readout.LinearReadout(
            arrays["readout.unit"],
            classes=classes,
            dropout=0.2,
        )
        self.activity: dict[str, plasticity.Activity] = {}

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return logits (B, K).

        One step of a group of cells, with x the input and W over all its projections:

            drive   <- x + W spike
            tau v'   = -v + gain (norm(drive) - threshold + noise) + sum of g (v_pre - v)
            spike   <- v >= 1, and then v <- v - 1
            read    <- exp(-dt / tau_read) read + spike

        The norm has a learned scale per cell; g are gap junctions. What the readout sees is the filtered spikes.
        """
        encode.check_images(image_BCHW, height=12, width=16)
        feature_BCHW = self.front_end(image_BCHW)
        state_all = self.cells_all.rest(feature_BCHW)
        W_L4E_E = self.W_L4E_E.weights()
        W_E_E = self.W_E_E.weights()
        W_to_I = self.W_to_I.weights()
        W_from_I = self.W_from_I.weights()
        W_I_I = self.W_I_I.junctions()

        drive_all_NB = self.input(feature_BCHW)
        for _ in range(12):
            state_all = self.cells_all(
                state_all,
                drive_all_NB,
                W_L4E_E @ state_all.rate_NB,
                W_E_E @ state_all.rate_NB,
                W_to_I @ state_all.rate_NB,
                W_from_I @ state_all.rate_NB,
                junction_JNB=W_I_I @ state_all.v_NB,
            )

        if self.training:
            self.activity = {
                "all": plasticity.Activity(state_all.read_NB),
            }
        return self.readout(
            state_all.read_NB,
        )

    def plasticity_step(self, reward_B: Tensor | None = None) -> None:
        """Let the plasticity rules act once, on what the last batch in training did.

        Args:
            reward_B: how good the answer to each image was, for rules that learn from reward.

        Raises:
            RuntimeError: there was no batch in training yet.
        """
        did = self.activity
        if not did:
            raise RuntimeError("no rates to act on: call the model on a batch in training mode first")
        self.rules_L4E_E(self.W_L4E_E, did["all"], did["all"], reward_B)
        self.rules_E_E(self.W_E_E, did["all"], did["all"], reward_B)
        self.rules_to_I(self.W_to_I, did["all"], did["all"], reward_B)
