"""graded: a connectome as a trainable network, written by connectome2net.

Spec twelve_cells_graded, sha256 50755765d07d8c7749ac87328fa3f9b18c695e951b7b147ff7f5a976cd689678
Data by hand, materialization 1

Populations
    name  cells  selected by
    L4E       3  L4; excitatory
    E         6  23P, 5P-IT, 6P-CT, WM-P, Unsure E
    I         3  inhibitory

Projections: W[post, pre]
    matrix            pre  post  sign      rules             edges  synapses
    W_L4E_E           L4E  E_I   dale      oja                   4         7
    W_E_E             E_I  E_I   dale      oja, homeostatic     12        20
    W_to_I_L4E_E_I    L4E  E_I   dale      hebbian               2         4
    W_to_I_E_I_E_I    E_I  E_I   dale      hebbian               4         4
    W_from_I_E_I_L4E  E_I  L4E   dale      -                     4        13
    W_from_I_E_I_E_I  E_I  E_I   dale      -                     5         8
    W_I_I             E_I  E_I   positive  -                     2         2

dale: W = sign of the presynaptic cell * anatomy * softplus(theta); no learning changes a sign
positive: g = anatomy * softplus(theta), the conductance of a gap junction, each direction its own
What was measured lies in weights.safetensors and stays; only theta is learned, on these edges only.
Change the spec and compile again, rather than this file.
"""

from torch import Tensor, nn

from connectome2net.runtime import dynamics, encode, plasticity, readout, sparse

# Axes: B batch, C channels, H rows, W columns, N cells, K classes, S excitatory and inhibitory.


class GradedNetwork(nn.Module):
    """Grey images (B, 1, 12, 16), values from 0 to 1 -> logits (B, K)."""

    def __init__(self, arrays: dict[str, Tensor], *, classes: int = 3) -> None:
        super().__init__()
        # image -> feature map
        self.front_end = nn.Sequential(
            encode.Adaptation(),
            encode.Convolution(in_channels=1, out_channels=4, kernel=3, pool=2, norm="group"),
            encode.Dropout(p=0.1),
        )
        # feature map -> L4E
        self.input = encode.RetinotopicInput(
            arrays,
            channels=4,
            neighbourhood=3,
            cells=3,
            rows_before=0,
            rows_after=0,
        )
        # cells
        self.cells_L4E = dynamics.ConductanceCells(
            populations=[3],
            tau_ms=10.0,
            dt_ms=5.0,
            v_rest_mv=-65.0,
            e_excitatory_mv=0.0,
            e_inhibitory_mv=-75.0,
            v_half_mv=-45.0,
            slope_mv=5.0,
            noise=0.1,
        )
        self.cells_E_I = dynamics.ConductanceCells(
            populations=[6, 3],
            tau_ms=10.0,
            dt_ms=5.0,
            v_rest_mv=-65.0,
            e_excitatory_mv=0.0,
            e_inhibitory_mv=-75.0,
            v_half_mv=-45.0,
            slope_mv=5.0,
            noise=0.1,
        )
        # edges
        self.W_L4E_E = sparse.Projection(arrays, "L4E_E", sign="dale")
        self.W_E_E = sparse.Projection(arrays, "E_E", sign="dale")
        self.W_to_I_L4E_E_I = sparse.Projection(arrays, "to_I_L4E_E_I", sign="dale")
        self.W_to_I_E_I_E_I = sparse.Projection(arrays, "to_I_E_I_E_I", sign="dale")
        self.W_from_I_E_I_L4E = sparse.Projection(arrays, "from_I_E_I_L4E", sign="dale")
        self.W_from_I_E_I_E_I = sparse.Projection(arrays, "from_I_E_I_E_I", sign="dale")
        self.W_I_I = sparse.Projection(arrays, "I_I", sign="positive")
        # plasticity
        self.rules_L4E_E = plasticity.Rules(
            plasticity.Oja(self.W_L4E_E, rate=0.002),
        )
        self.rules_E_E = plasticity.Rules(
            plasticity.Oja(self.W_E_E, rate=0.002),
            plasticity.Homeostatic(self.W_E_E, rate=0.001, target=0.3),
        )
        self.rules_to_I_L4E_E_I = plasticity.Rules(
            plasticity.Hebbian(self.W_to_I_L4E_E_I, rate=0.001),
        )
        self.rules_to_I_E_I_E_I = plasticity.Rules(
            plasticity.Hebbian(self.W_to_I_E_I_E_I, rate=0.001),
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

            g_e, g_i <- scale (x + W rate), over excitatory and over inhibitory edges
            tau v'    = v_rest - v + g_e (e_e - v) + g_i (e_i - v) + sum of g (v_pre - v)
            rate     <- gain sigmoid((v - v_half) / slope - threshold)

        Of x, the positive part excites and the negative part inhibits; g are gap junctions.
        """
        encode.check_images(image_BCHW, height=12, width=16)
        feature_BCHW = self.front_end(image_BCHW)
        state_L4E = self.cells_L4E.rest(feature_BCHW)
        state_E_I = self.cells_E_I.rest(feature_BCHW)
        W_L4E_E = self.W_L4E_E.conductances()
        W_E_E = self.W_E_E.conductances()
        W_to_I_L4E_E_I = self.W_to_I_L4E_E_I.conductances()
        W_to_I_E_I_E_I = self.W_to_I_E_I_E_I.conductances()
        W_from_I_E_I_L4E = self.W_from_I_E_I_L4E.conductances()
        W_from_I_E_I_E_I = self.W_from_I_E_I_E_I.conductances()
        W_I_I = self.W_I_I.junctions()

        drive_L4E_SNB = dynamics.conductance(self.input(feature_BCHW)) + W_from_I_E_I_L4E @ state_E_I.rate_NB
        for _ in range(1):
            state_L4E = self.cells_L4E(
                state_L4E,
                drive_L4E_SNB,
            )

        drive_L4E_SNB = dynamics.conductance(self.input(feature_BCHW))
        for _ in range(3):
            next_L4E = self.cells_L4E(
                state_L4E,
                drive_L4E_SNB,
                W_from_I_E_I_L4E @ state_E_I.rate_NB,
            )
            next_E_I = self.cells_E_I(
                state_E_I,
                W_L4E_E @ state_L4E.rate_NB,
                W_E_E @ state_E_I.rate_NB,
                W_to_I_L4E_E_I @ state_L4E.rate_NB,
                W_to_I_E_I_E_I @ state_E_I.rate_NB,
                W_from_I_E_I_E_I @ state_E_I.rate_NB,
                junction_JNB=W_I_I @ state_E_I.v_NB,
            )
            state_L4E = next_L4E
            state_E_I = next_E_I

        if self.training:
            self.activity = {
                "L4E": plasticity.Activity(state_L4E.read_NB),
                "E_I": plasticity.Activity(state_E_I.read_NB),
            }
        return self.readout(
            state_E_I.read_NB,
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
        self.rules_L4E_E(self.W_L4E_E, did["L4E"], did["E_I"], reward_B)
        self.rules_E_E(self.W_E_E, did["E_I"], did["E_I"], reward_B)
        self.rules_to_I_L4E_E_I(self.W_to_I_L4E_E_I, did["L4E"], did["E_I"], reward_B)
        self.rules_to_I_E_I_E_I(self.W_to_I_E_I_E_I, did["E_I"], did["E_I"], reward_B)
