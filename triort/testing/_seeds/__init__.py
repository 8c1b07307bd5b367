"""Seeds: each is made into a plan, run in the tiers, and explained if it fails."""

from triort.testing._seeds.check import Failure as Failure
from triort.testing._seeds.check import Tried as Tried
from triort.testing._seeds.check import check_seed as check_seed
from triort.testing._seeds.check import explain as explain
from triort.testing._seeds.check import try_seed as try_seed
from triort.testing._seeds.smaller import shrink_trial as shrink_trial
from triort.testing._seeds.trials import Trial as Trial
