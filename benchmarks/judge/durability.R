# Time to loss: Kaplan-Meier, Cox with Efron's ties, its robust variance and test of proportional hazards, and the
# Weibull model of losses between visits. Data: aml (Miller 1981), heart (Crowley & Hu 1977), pbcseq (Fleming &
# Harrington 1991), the ten rows of the help page of coxph, and intervals made up here.
suppressMessages(library(survival))

say_cox <- function(name, fit) {
  for (i in seq_along(coef(fit))) {
    say(paste0(name, ".beta", i), coef(fit)[i])
    say(paste0(name, ".se", i), sqrt(diag(vcov(fit)))[i])
  }
  say(paste0(name, ".null_log_likelihood"), fit$loglik[1])
  say(paste0(name, ".log_likelihood"), fit$loglik[2])
}
say_proportional <- function(name, fit) {
  p <- cox.zph(fit, transform = "km", terms = FALSE)$table[, "p"]
  for (i in seq_along(coef(fit))) say(paste0(name, ".zph", i, ".p"), p[i])
}

# 1. Kaplan-Meier of leukaemia in remission, with log-log intervals
curves <- survfit(Surv(time, status) ~ x, data = aml, conf.type = "log-log")
for (arm in c("Maintained", "Nonmaintained")) {
  one <- summary(survfit(Surv(time, status) ~ 1, data = aml[aml$x == arm, ], conf.type = "log-log"))
  for (day in c(23, 31)) {
    at <- max(which(one$time <= day))
    say(paste0("aml.", arm, ".share", day), one$surv[at])
    say(paste0("aml.", arm, ".share", day, ".low"), one$lower[at])
    say(paste0("aml.", arm, ".share", day, ".high"), one$upper[at])
  }
  told <- one$table
  say(paste0("aml.", arm, ".median"), told["median"])
  say(paste0("aml.", arm, ".median.low"), told["0.95LCL"])
}
w <- rep(c(0.7, 1.3, 1.1, 0.9), length.out = 23)
one <- summary(survfit(Surv(time, status) ~ 1, data = aml, weights = w, id = 1:23, robust = TRUE, conf.type = "log-log"))
say("aml.weighted.share31", one$surv[one$time == 31])
say("aml.weighted.share31.low", one$lower[one$time == 31])
say("aml.weighted.share31.high", one$upper[one$time == 31])
fit <- coxph(Surv(time, status) ~ x, data = aml, ties = "efron")
say_cox("aml.cox", fit)
say_proportional("aml.cox", fit)
say_cox("aml.weighted.cox", coxph(Surv(time, status) ~ x, data = aml, weights = w, cluster = 1:23))

# 2. The counting process of ten rows on the help page of coxph
ten <- data.frame(start = c(1, 2, 5, 2, 1, 7, 3, 4, 8, 8), stop = c(2, 3, 6, 7, 8, 9, 9, 9, 14, 17),
  event = c(1, 1, 1, 1, 1, 1, 1, 0, 0, 0), x = c(1, 0, 0, 1, 0, 1, 1, 1, 0, 0))
say_cox("ten", coxph(Surv(start, stop, event) ~ x, data = ten))

# 3. Heart transplants: time-varying treatment
fit <- coxph(Surv(start, stop, event) ~ age + year + surgery + as.numeric(transplant == "1"), data = heart)
say_cox("heart", fit)
say_proportional("heart", fit)
w <- rep(c(0.7, 1.3, 1.1, 0.9), length.out = nrow(heart))
say_cox("heart.weighted", coxph(Surv(start, stop, event) ~ age + surgery + strata(transplant), data = heart,
  weights = w, cluster = id))

# 4. Primary biliary cirrhosis: laboratory values that change, as in the vignette on time-dependent covariates
base <- pbc[1:312, c("id", "time", "status")]
long <- tmerge(base, base, id = id, death = event(time, status))
long <- tmerge(long, pbcseq, id = id, bili = tdc(day, bili), protime = tdc(day, protime))
fit <- coxph(Surv(tstart, tstop, death == 2) ~ log(bili) + log(protime), data = long)
say_cox("pbcseq", fit)
say_proportional("pbcseq", fit)

# 5. Losses between two visits: Weibull by survreg; log hazard ratio = -beta / scale
s <- c(0, 0, 30, 30, 60, 60, 60, 90, 0, 30, 90, 120, 60, 30)
e <- c(30, 30, 60, 60, 90, 90, 120, NA, 60, NA, 120, NA, NA, 60)
x <- c(5.1, 4.2, 6.3, 3.9, 7.1, 5.5, 6.6, 8.0, 3.2, 7.4, 5.9, 7.7, 6.1, 4.4)
lost <- Surv(ifelse(s == 0, NA, s), e, type = "interval2")
fit <- survreg(lost ~ x, dist = "weibull")
pull <- c(0, -1 / fit$scale, coef(fit)[2] / fit$scale)
say("weibull.beta", -coef(fit)[2] / fit$scale)
say("weibull.se", sqrt(pull %*% vcov(fit) %*% pull))
say("weibull.shape", 1 / fit$scale)
say("weibull.log_likelihood", fit$loglik[2])
fit <- survreg(lost ~ 1, dist = "weibull")
middle <- predict(fit, type = "uquantile", p = 0.5, se = TRUE)
say("weibull.median", exp(middle$fit[1]))
say("weibull.median.low", exp(middle$fit[1] - qnorm(0.975) * middle$se.fit[1]))
say("weibull.median.high", exp(middle$fit[1] + qnorm(0.975) * middle$se.fit[1]))
