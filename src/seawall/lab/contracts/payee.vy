# pragma version ~=0.4.3
"""
A contract as payee: it can refuse coin, and it can pay coin on, where no transaction shows it.
"""

refuses: public(bool)


@deploy
def __init__(refuses: bool):
    self.refuses = refuses


@external
@payable
def __default__():
    assert not self.refuses, "this contract takes no coin"


@external
@payable
def forward(receiver: address):
    send(receiver, msg.value)
