"""What a test of people's addresses has shown."""

from pydantic import BaseModel, Field


class AddressTest(BaseModel):
    """A test of one address. The address is masked, since it holds secrets."""

    address: str = Field(description="Scheme and digest of the address, such as `slack:3f2a9c1b`.")
    is_taken: bool = Field(description="Whether the service has taken the test.")
    why: str = Field(default="", description="Why it has not.")


class PeopleTest(BaseModel):
    is_well: bool = Field(description="Whether there are addresses, and all have taken the test.")
    addresses: list[AddressTest] = Field(description="The addresses of `CELLAR_PEOPLE_URLS`.")
