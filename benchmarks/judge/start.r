# Sourced before every script: `say(name, value)` prints one figure; `real` is the folder of public real data.
options(digits = 12, warn = 1)
real <- Sys.getenv("REAL", "../shared/real")
say <- function(name, value) cat(name, format(as.numeric(value), digits = 12), "\n")
