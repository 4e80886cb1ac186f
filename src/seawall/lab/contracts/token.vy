# pragma version ~=0.4.3
"""
A token for tests and the demo.  It can keep a fee of what is sent, which its log does not show,
and it can be told to refuse by returning false instead of reverting.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(String[32])
symbol: public(String[12])
decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
fee_per_mille: public(uint256)
refuses: public(bool)


@deploy
def __init__(symbol: String[12], decimals: uint8, supply: uint256, fee_per_mille: uint256):
    self.name = symbol
    self.symbol = symbol
    self.decimals = decimals
    self.fee_per_mille = fee_per_mille
    self.totalSupply = supply
    self.balanceOf[msg.sender] = supply
    log Transfer(sender=empty(address), receiver=msg.sender, value=supply)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    fee: uint256 = amount * self.fee_per_mille // 1000
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    self.totalSupply -= fee
    log Transfer(sender=sender, receiver=receiver, value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    if self.refuses:
        return False
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    if self.refuses:
        return False
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def refuse(yes: bool):
    self.refuses = yes
