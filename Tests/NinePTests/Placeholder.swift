import NineP
