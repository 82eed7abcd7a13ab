# Power of the paired and of the two-sample t test, both tails.
say("paired.power", power.t.test(n = 20, delta = 1, sd = 1.5, type = "paired", strict = TRUE)$power)
say("paired.n80", power.t.test(delta = 1, sd = 1.5, power = 0.8, type = "paired", strict = TRUE)$n)
say("paired.n90", power.t.test(delta = 1, sd = 1.5, power = 0.9, type = "paired", strict = TRUE)$n)
say("two.power", power.t.test(n = 15, delta = 1, sd = 1.2, strict = TRUE)$power)
