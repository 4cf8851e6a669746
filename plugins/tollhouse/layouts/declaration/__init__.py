"""What a layout may say: the reference of the keys of include/layouts/*.yml.

Only shapes are checked here: no file is opened, no database asked, no SQL made. Every value comes
from YAML as text; pydantic makes numbers and truth values of them.
"""

from tollhouse.layouts.declaration.layout import Layout

__all__ = ["Layout"]
