"""REST and WebSocket: decode, authenticate, throttle, encode.  No decision is made here."""
