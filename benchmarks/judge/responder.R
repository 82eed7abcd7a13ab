# Responders: glm with its profile intervals, Fisher's exact test, and GEE by geepack.
suppressMessages({library(geepack); library(MASS)})

logistic <- function(name, fit, column) {
  say(paste0(name, ".estimate"), coef(fit)[[column]])
  say(paste0(name, ".se"), sqrt(vcov(fit)[column, column]))
  ends <- suppressMessages(confint(fit, column, level = 0.95))
  say(paste0(name, ".low"), ends[1])
  say(paste0(name, ".high"), ends[2])
  terms <- attr(terms(fit), "term.labels")
  factor <- terms[sapply(terms, function(t) startsWith(column, t))]
  test <- drop1(fit, test = "LRT")
  say(paste0(name, ".chi2"), test[factor, "LRT"])
  say(paste0(name, ".p"), test[factor, "Pr(>Chi)"])
}
gee <- function(name, formula, data, structure, columns) {
  fit <- geeglm(formula, family = binomial, id = id, data = data, corstr = structure,
    control = geese.control(epsilon = 1e-12, maxit = 200))
  told <- summary(fit)$coefficients
  for (column in columns) {
    say(paste(name, structure, column, "estimate", sep = "."), told[column, "Estimate"])
    say(paste(name, structure, column, "se", sep = "."), told[column, "Std.err"])
  }
  if (structure == "exchangeable") say(paste(name, structure, "alpha", sep = "."), fit$geese$alpha)
}

# 1. The trial of auranofin: a response is a self-assessment of 4 or 5
if (file.exists(file.path(real, "clinical_tables", "ra_auranofin_trial.csv"))) {
  trial <- read.csv(file.path(real, "clinical_tables", "ra_auranofin_trial.csv"))
  trial <- within(trial, {
    good <- as.numeric(y >= 4)
    arm <- factor(trt, labels = c("placebo", "auranofin"))
    visit <- factor(time)
  })
  trial <- trial[order(trial$id, trial$time), ]
  seen <- trial[!is.na(trial$y), ]
  last <- seen[seen$time == 5, ]
  logistic("ra.month5", glm(good ~ arm, binomial, last, epsilon = 1e-12), "armauranofin")
  logistic("ra.month5.adjusted", glm(good ~ arm + age, binomial, last, epsilon = 1e-12), "armauranofin")
  say("ra.month5.fisher.p", fisher.test(table(last$arm, last$good))$p.value)
  imputed <- within(trial[trial$time == 5, ], good[is.na(good)] <- 0)
  logistic("ra.month5.nonresponse", glm(good ~ arm, binomial, imputed, epsilon = 1e-12), "armauranofin")
  wide <- merge(seen[seen$time == 1, c("id", "y", "baseline")], last[, c("id", "good", "arm")], by = "id")
  wide$change <- wide$y - wide$baseline
  logistic("ra.change", glm(good ~ change + arm + baseline, binomial, wide, epsilon = 1e-12), "change")
  for (structure in c("exchangeable", "independence"))
    gee("ra.gee", good ~ visit + arm, seen, structure, "armauranofin")
  gee("ra.gee.crossed", good ~ visit * arm, seen, "exchangeable", c("armauranofin", "visit3:armauranofin", "visit5:armauranofin"))
}

# 2. Made-up doses and answers; the same as in tests/stats/test_binary.py
dose <- c(1.2, 0.4, 2.2, 3.1, 0.8, 2.7, 1.9, 3.4, 0.5, 2.5, 1.1, 3.0, 1.6, 0.9, 2.1, 2.9)
good <- c(0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1)
logistic("dose", glm(good ~ dose, binomial, data.frame(dose, good), epsilon = 1e-12), "dose")

# 3. Firth's penalised likelihood of separated answers, maximised by optim; the same as in tests/stats/test_binary.py
x <- cbind(1, c(0.2, 0.5, 0.9, 1.4, 1.6, 2.3, 2.8, 3.3), c(1, 0, 1, 0, 1, 0, 1, 0))
y <- c(0, 0, 0, 0, 1, 1, 1, 1)
penalised <- function(b) {
  eta <- drop(x %*% b)
  m <- plogis(eta)
  -(sum(y * eta - log1p(exp(eta))) + 0.5 * as.numeric(determinant(t(x) %*% (x * m * (1 - m)))$modulus))
}
fine <- function(k) list(reltol = 1e-16, maxit = 5000, ndeps = rep(1e-5, k))
best <- optim(c(0, 0, 0), penalised, method = "BFGS", control = fine(3))
best <- optim(best$par, penalised, method = "BFGS", control = fine(3))
for (i in 1:3) say(paste0("firth.", i), best$par[i])
profile <- function(v) {
  held <- function(b) penalised(c(b[1], v, b[2]))
  once <- optim(best$par[c(1, 3)], held, method = "BFGS", control = fine(2))
  optim(once$par, held, method = "BFGS", control = fine(2))$value
}
say("firth.p", pchisq(2 * (profile(0) - best$value), 1, lower.tail = FALSE))
aim <- best$value + qchisq(0.95, 1) / 2
say("firth.low", uniroot(function(v) profile(v) - aim, c(best$par[2] - 10, best$par[2]), tol = 1e-10)$root)
say("firth.high", uniroot(function(v) profile(v) - aim, c(best$par[2], best$par[2] + 40), tol = 1e-10)$root)
