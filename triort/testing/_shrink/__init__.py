"""Makes a failing plan small: what is left of it is needed for the failure, or nearly so."""

from triort.testing._shrink.search import Shrunk as Shrunk
from triort.testing._shrink.shrink import shrink as shrink
