"""What all sections of the settings have in common."""

from pydantic import BaseModel, ConfigDict

DAY = 86400


class Section(BaseModel):
    """Unknown keys are refused, nothing is changed afterwards, and defaults must be as good as what is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
