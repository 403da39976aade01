"""The firmware language: every name that a program may import. They are defined in neuroemu.language.isa."""

from neuroemu.language.isa import (
    ERROR as ERROR,
)
from neuroemu.language.isa import (
    INHIBIT as INHIBIT,
)
from neuroemu.language.isa import (
    INPUT as INPUT,
)
from neuroemu.language.isa import (
    PROBE as PROBE,
)
from neuroemu.language.isa import (
    SPIKE as SPIKE,
)
from neuroemu.language.isa import (
    TARGET as TARGET,
)
from neuroemu.language.isa import (
    Input as Input,
)
from neuroemu.language.isa import (
    Keep as Keep,
)
from neuroemu.language.isa import (
    Key as Key,
)
from neuroemu.language.isa import (
    Param as Param,
)
from neuroemu.language.isa import (
    Port as Port,
)
from neuroemu.language.isa import (
    Post as Post,
)
from neuroemu.language.isa import (
    PostState as PostState,
)
from neuroemu.language.isa import (
    Pre as Pre,
)
from neuroemu.language.isa import (
    PreKeep as PreKeep,
)
from neuroemu.language.isa import (
    State as State,
)
from neuroemu.language.isa import (
    Sum as Sum,
)
from neuroemu.language.isa import (
    Switch as Switch,
)
from neuroemu.language.isa import (
    Table as Table,
)
from neuroemu.language.isa import (
    Weight as Weight,
)
from neuroemu.language.isa import (
    Width as Width,
)
from neuroemu.language.isa import (
    clamp as clamp,
)
from neuroemu.language.isa import (
    decay_to_zero as decay_to_zero,
)
from neuroemu.language.isa import (
    fit as fit,
)
from neuroemu.language.isa import (
    leading_one as leading_one,
)
from neuroemu.language.isa import (
    shift_away as shift_away,
)
from neuroemu.language.isa import (
    shift_floor as shift_floor,
)
from neuroemu.language.isa import (
    shift_left as shift_left,
)
from neuroemu.language.isa import (
    shift_round as shift_round,
)
from neuroemu.language.isa import (
    shift_stochastic as shift_stochastic,
)
from neuroemu.language.isa import (
    shift_zero as shift_zero,
)
from neuroemu.language.isa import (
    uniform as uniform,
)
