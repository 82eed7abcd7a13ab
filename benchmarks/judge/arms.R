# The mixed model for repeated measures, its covariances and tests: nlme, lme4, lmerTest, pbkrtest, emmeans.
suppressMessages({library(nlme); library(lme4); library(lmerTest); library(pbkrtest); library(emmeans)})

tight <- glsControl(tolerance = 1e-10, msTol = 1e-12, msMaxIter = 500, maxIter = 500)
mmrm <- function(data, correlation) gls(value ~ arm * visit + baseline * visit, data = data, method = "REML",
  correlation = correlation, weights = varIdent(form = ~ 1 | visit), control = tight, na.action = na.omit)

# estimates and standard errors of the arms' difference at each visit, least-squares means, log likelihood
say_mmrm <- function(name, fit, data) {
  say(paste0(name, ".log_likelihood"), logLik(fit))
  means <- emmeans(fit, ~ arm | visit, mode = "df.error", data = data)
  told <- as.data.frame(means)
  for (i in seq_len(nrow(told))) {
    at <- paste(name, "mean", told$arm[i], told$visit[i], sep = ".")
    say(paste0(at, ".estimate"), told$emmean[i])
    say(paste0(at, ".se"), told$SE[i])
  }
  told <- as.data.frame(pairs(means, reverse = TRUE))
  for (i in seq_len(nrow(told))) {
    at <- paste(name, "difference", told$visit[i], sep = ".")
    say(paste0(at, ".estimate"), told$estimate[i])
    say(paste0(at, ".se"), told$SE[i])
  }
}

# 1. The trial of auranofin (Bombardier et al. 1986), from the folder of real data
if (file.exists(file.path(real, "clinical_tables", "ra_auranofin_trial.csv"))) {
  trial <- read.csv(file.path(real, "clinical_tables", "ra_auranofin_trial.csv"))
  trial <- within(trial, {
    value <- y
    arm <- factor(trt, labels = c("placebo", "auranofin"))
    visit <- factor(paste0("month", time))
    place <- match(time, c(1, 3, 5))
  })
  trial <- trial[!is.na(trial$y), ]
  say_mmrm("ra.unstructured", mmrm(trial, corSymm(form = ~ place | id)), trial)
  # a heterogeneous Toeplitz covariance of 3 visits is an autoregression of order 2 with a variance for each visit
  say_mmrm("ra.toeplitz", mmrm(trial, corARMA(form = ~ place | id, p = 2)), trial)
  say_mmrm("ra.ar1", mmrm(trial, corAR1(form = ~ place | id)), trial)
  fit <- lmer(value ~ arm * visit + baseline * visit + (1 | id), data = trial,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12)))
  told <- as.data.frame(pairs(emmeans(fit, ~ arm | visit, lmer.df = "kenward-roger"), reverse = TRUE))
  for (i in seq_len(nrow(told))) for (what in c("estimate", "SE", "df", "p.value"))
    say(paste("ra.compound_symmetry.difference", told$visit[i], tolower(what), sep = "."), told[[what]][i])
  test <- KRmodcomp(fit, update(fit, . ~ . - arm:visit))$test
  say("ra.compound_symmetry.arm_x_visit.f", test["Ftest", "stat"])
  say("ra.compound_symmetry.arm_x_visit.df", test["Ftest", "ddf"])
  say("ra.compound_symmetry.arm_x_visit.p", test["Ftest", "p.value"])
  at5 <- lm(value ~ arm + baseline, data = trial[trial$time == 5, ])
  for (i in 1:4) say(paste0("ra.ancova.month5.", c("estimate", "se", "t", "p")[i]),
    summary(at5)$coefficients["armauranofin", i])
}

# 2. Made-up values of 14 patients with visits missing; the same as in tests/stats/small_trial.py
small <- read.table(header = TRUE, na.strings = "-", text = "
id arm baseline v1 v2 v3
 1 a 5.1 5.3 5.1 5.4
 2 b 6.0 4.8 3.7 3.5
 3 a 4.4 3.9 - 3.4
 4 b 5.5 5.0 4.7 -
 5 a 6.3 6.4 5.5 6.1
 6 b 4.9 4.1 2.6 2.5
 7 a 5.8 - 5.3 4.9
 8 b 6.6 6.5 6.0 4.8
 9 a 5.0 4.5 4.8 -
10 b 5.3 5.4 - 4.2
11 a 4.7 4.2 3.6 3.7
12 b 5.9 4.4 4.1 2.9
13 a 6.1 5.7 6.1 5.4
14 b 4.6 3.1 2.4 2.8")
long <- reshape(small, direction = "long", varying = c("v1", "v2", "v3"), v.names = "value", timevar = "place", idvar = "id")
long <- within(long[!is.na(long$value), ], { arm <- factor(arm); visit <- factor(paste0("v", place)) })
say_mmrm("small.unstructured", mmrm(long, corSymm(form = ~ place | id)), long)
say_mmrm("small.ar1", mmrm(long, corAR1(form = ~ place | id)), long)
fit <- lmer(value ~ arm * visit + baseline * visit + (1 | id), data = long,
  control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12)))
told <- as.data.frame(pairs(emmeans(fit, ~ arm | visit, lmer.df = "kenward-roger"), reverse = TRUE))
for (i in seq_len(nrow(told))) for (what in c("estimate", "SE", "df", "p.value"))
  say(paste("small.compound_symmetry.difference", told$visit[i], tolower(what), sep = "."), told[[what]][i])
test <- KRmodcomp(fit, update(fit, . ~ . - arm:visit))$test
say("small.compound_symmetry.arm_x_visit.f", test["Ftest", "stat"])
say("small.compound_symmetry.arm_x_visit.df", test["Ftest", "ddf"])

# 3. lme4::sleepstudy: random intercept and slope, whose covariance of days is linear in its four parameters
sleep <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = lmerControl(optCtrl = list(rhoend = 1e-12)))
told <- summary(sleep, ddf = "Kenward-Roger")$coefficients["Days", ]
say("sleepstudy.slope", told["Estimate"])
say("sleepstudy.se", told["Std. Error"])
say("sleepstudy.df", told["df"])
say("sleepstudy.df.satterthwaite", summary(sleep)$coefficients["Days", "df"])
