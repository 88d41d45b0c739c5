#!/bin/sh
# ucarp calls it with the interface and the virtual IP, and waits for its end.
exec ip address del "$$2"/$prefix dev "$$1"
